//! What the monitor keeps.

use crate::support::{Bed, ORIGIN};
use facilitator_store::monitor::{Begun, HandledEvent, MovedCheckpoint, Run};

fn event(name: &str, block: u64) -> HandledEvent {
    HandledEvent { id: name.to_owned(), chain_id: ORIGIN, block, event: format!("{{\"title\":\"{name}\"}}") }
}

#[tokio::test]
async fn one_run_at_a_time_until_it_ends_or_shows_no_life() {
    let bed = Bed::new();
    let store = bed.store().await;
    let begin = async |owner: &str, now_ms| store.begin_monitor_run(owner, 100, now_ms).await.unwrap();
    let run = |begun: Begun| -> Run {
        match begun {
            Begun::As(run) => run,
            Begun::Refused { owner, .. } => panic!("{owner} runs"),
        }
    };
    let first = run(begin("a", 0).await);
    assert_eq!(begin("b", 99).await, Begun::Refused { owner: "a".to_owned(), alive_until_ms: 100 });
    assert!(store.prolong_monitor_run(first, 100, 50).await.unwrap());
    assert!(matches!(begin("b", 149).await, Begun::Refused { .. }));
    store.end_monitor_run(first, "{}", 60).await.unwrap();
    let second = run(begin("b", 61).await);
    let third = run(begin("c", 161).await);
    assert!(!store.prolong_monitor_run(second, 100, 162).await.unwrap(), "it counted as dead");
    assert!(store.prolong_monitor_run(third, 100, 162).await.unwrap());
}

#[tokio::test]
async fn handled_events_stay_handled_for_their_receiver_until_they_lie_too_far_back() {
    let bed = Bed::new();
    let store = bed.store().await;
    store.handle_monitor_events("Discord", &[event("x", 5), event("y", 9)], 1).await.unwrap();
    store.handle_monitor_events("Discord", &[event("y", 9)], 2).await.unwrap();
    store.handle_monitor_events("Sentry", &[event("x", 5)], 3).await.unwrap();
    assert_eq!(store.handled_monitor_events("Discord").await.unwrap(), ["x", "y"]);
    let moved = MovedCheckpoint { chain_id: ORIGIN, block: 20, forget_below: 9 };
    store.move_monitor_checkpoints(&[moved], 4).await.unwrap();
    assert_eq!(store.monitor_checkpoint(ORIGIN).await.unwrap(), Some(20));
    assert_eq!(store.handled_monitor_events("Discord").await.unwrap(), ["y"]);
    assert_eq!(store.handled_monitor_events("Sentry").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn memories_are_replaced() {
    let bed = Bed::new();
    let store = bed.store().await;
    assert_eq!(store.monitor_state("supply").await.unwrap(), None);
    store.set_monitor_state("supply", "1").await.unwrap();
    store.set_monitor_state("supply", "2").await.unwrap();
    assert_eq!(store.monitor_state("supply").await.unwrap().as_deref(), Some("2"));
}
