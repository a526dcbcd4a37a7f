//! While the gate is closed nothing is signed or sent, what is in flight is followed, and no secret waits for its opening.

use crate::{
    chain::fine,
    world::{World, plain, submit},
};
use facilitator_sender::{Failure, Gate, Submit, SubmitAnswer, Visibility};

#[tokio::test]
async fn what_waits_goes_out_when_the_gate_opens_and_what_is_in_flight_ends_meanwhile() {
    let mut world = World::new().await;
    world.submit(vec![plain(1)]).await;
    world.head().await;
    world.sender.set_gate(Gate::Closed);
    world.submit(vec![plain(2)]).await;
    world.blocks(5).await;
    assert!(world.is_final("plain:1"), "{:?}", world.outcomes);
    assert_eq!(world.node.chain().seen.len(), 1, "sent through a closed gate");
    world.sender.set_gate(Gate::Open);
    world.blocks(5).await;
    assert!(world.is_final("plain:2"), "{:?}", world.outcomes);
}

/// Law 4: the gate may have closed because the chain that the secret depends on was forked. Whoever submitted looks again.
#[tokio::test]
async fn a_secret_that_is_not_signed_yet_is_handed_back_and_not_signed_when_the_gate_opens() {
    let mut world = World::new().await;
    let secret = || Submit { visibility: Visibility::Reveals, ..submit("secret", fine(9)) };
    world.submit(vec![secret()]).await;
    world.sender.set_gate(Gate::Closed);
    world.head().await;
    assert_eq!(world.failure("secret"), Some(&Failure::Interrupted), "{:?}", world.outcomes);
    world.sender.set_gate(Gate::Open);
    world.blocks(3).await;
    assert_eq!(world.node.chain().seen.len(), 0, "revealed without a fresh look");
    assert_eq!(world.submit(vec![secret()]).await, [SubmitAnswer::Queued]);
    world.blocks(5).await;
    assert!(world.is_final("secret"), "{:?}", world.outcomes);
}
