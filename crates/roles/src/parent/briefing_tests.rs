//! What those that are briefed together are told of each other.

use super::*;
use facilitator_eth::{B256, U256};
use facilitator_protocol::model::{LogPosition, RequestId, State, Terms};

#[test]
fn what_is_briefed_together_counts_for_those_that_come_after() {
    let (one, other) = (Address([1; 20]), Address([2; 20]));
    let none = InFlight::default();
    let key = |address| WorkerKey { address, in_flight: none, foreign: none, bounties: U256::ZERO, reveals: none };
    let (source, target) = (key(one), key(other));
    let mut booked = Booked::default();
    booked.book(Work::Own, Kind::Stake, [(Side::Origin, Some(&source)), (Side::Auxiliary, Some(&target))]);
    booked.book(Work::Own, Kind::Redeem, [(Side::Auxiliary, Some(&target)), (Side::Origin, None)]);
    let known = InFlight { stakes: 3, redeems: 0 };
    assert_eq!(booked.with(Work::Own, Side::Auxiliary, other, known), InFlight { stakes: 4, redeems: 1 });
    assert_eq!(booked.with(Work::Own, Side::Origin, one, known), InFlight { stakes: 4, redeems: 0 });
    assert_eq!(booked.with(Work::Own, Side::Origin, other, known), known, "another chain's key");
    // Own requests don't wait for what others left.
    booked.book(Work::Foreign, Kind::Stake, [(Side::Origin, Some(&source)), (Side::Auxiliary, None)]);
    assert_eq!(booked.with(Work::Own, Side::Origin, one, known), InFlight { stakes: 4, redeems: 0 });
    assert_eq!(booked.with(Work::Foreign, Side::Origin, one, none), InFlight { stakes: 1, redeems: 0 });
}

/// Those that are asked for at once are proven by one state root, and share a block with its proof by the same key alone.
#[test]
fn what_is_briefed_together_is_seen_through_by_one_key_and_accepted_by_all_in_turn() {
    let mut turns = PerSide::default();
    let mut batch = |kind: Kind, count: usize| -> Vec<(usize, usize)> {
        let mut booked = Booked::default();
        let mut turn = |side| booked.turn(side, kind, &mut turns);
        (0..count).map(|_| (turn(kind.source()), turn(kind.target()))).collect()
    };
    assert_eq!(batch(Kind::Stake, 3), [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(batch(Kind::Stake, 2), [(4, 2), (5, 2)], "the next ones by the next key");
    assert_eq!(batch(Kind::Redeem, 2), [(3, 6), (4, 6)]);
}

#[test]
fn what_may_reveal_its_secret_is_counted_at_both_its_keys_for_those_that_come_after() {
    let (origin, auxiliary) = (Address([1; 20]), Address([2; 20]));
    let mut known = Reveals::default();
    known.add(1406, auxiliary, Kind::Redeem);
    let mut booked = Booked::beside(known);
    let open = declared(origin, auxiliary);
    let public = Request { unlock_secret: Some(B256::ZERO), ..open.clone() };
    let undeclared = Request { declared_block: None, ..open.clone() };
    booked.book_reveal(&public, &[]);
    booked.book_reveal(&undeclared, &[]);
    // The journal tells of it already.
    booked.book_reveal(&open, &[Step::ProgressTarget]);
    assert_eq!(booked.reveals.of(3, origin), InFlight::default());
    booked.book_reveal(&open, &[Step::Confirm]);
    booked.book_reveal(&open, &[]);
    assert_eq!(booked.reveals.of(3, origin), InFlight { stakes: 2, redeems: 0 });
    assert_eq!(booked.reveals.of(1406, auxiliary), InFlight { stakes: 2, redeems: 1 });
}

fn declared(origin: Address, auxiliary: Address) -> Request {
    let terms = Terms {
        amount: U256::ONE,
        beneficiary: Address([3; 20]),
        gas_price: U256::ONE,
        gas_limit: U256::ONE,
        nonce: U256::ZERO,
        sender: Address([4; 20]),
        sender_proxy: Address([5; 20]),
        gateway: Address([6; 20]),
        request_hash: B256::ZERO,
    };
    let position =
        LogPosition { chain_id: 3, block_number: 1, block_hash: B256::ZERO, tx_hash: B256::ZERO, log_index: 0 };
    Request {
        id: RequestId(1),
        kind: Kind::Stake,
        state: State::IntentConfirmed,
        origin_chain_id: 3,
        auxiliary_chain_id: 1406,
        pool: Address([7; 20]),
        terms,
        position,
        hunted: false,
        attempt: 0,
        hash_lock: Some(B256::ZERO),
        message_hash: Some(B256::ZERO),
        message_sender: None,
        unlock_secret: None,
        origin_worker: Some(origin),
        auxiliary_worker: Some(auxiliary),
        declared_block: Some(1),
        proof_height: None,
        bounty: None,
        reward: None,
        paid_out: None,
        failures: 0,
        holds: 0,
        wakes: 0,
        waiting_for: None,
        last_error: None,
        claim_seq: 0,
    }
}
