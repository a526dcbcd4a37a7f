//! A place through its life: empty, dead again and again, quarantined, closed.

use super::*;
use crate::messages::ToScanner;
use facilitator_supervisor::{Cause, Exit, StreamEnd};

const POLICY: RestartPolicy = RestartPolicy {
    base: Duration::from_millis(200),
    max: Duration::from_millis(300),
    limit: 4,
    window: Duration::from_secs(60),
    quarantine: Duration::from_secs(300),
};

fn end() -> End {
    let (exit, lived) = (Exit::Signal(9), Duration::from_millis(5));
    End { pid: 7, exit, cause: Cause::Itself, stream: StreamEnd::Clean, lived }
}

#[test]
fn a_new_place_is_due_at_once() {
    let slot = Slot::<ToScanner>::new();
    let now = Instant::now();
    assert!(slot.is_due(now) && slot.child().is_none());
    assert!(slot.due_at().is_some_and(|at| at <= now));
}

#[test]
fn a_child_that_keeps_dying_is_waited_for_longer_and_then_tried_once_in_a_while() {
    let mut slot = Slot::<ToScanner>::new();
    for (restarts, pause) in [(1, 200), (2, 300), (3, 300)] {
        slot.ready = true;
        let said = slot.died(&end(), &POLICY);
        assert!(said.contains(&format!("in {pause} ms")), "{said}");
        assert_eq!((slot.restarts, slot.ready, slot.word()), (restarts, false, "restarting"));
        let due = slot.due_at().unwrap();
        assert!(!slot.is_due(due - Duration::from_millis(1)) && slot.is_due(due));
        assert!(slot.trouble.as_deref().is_some_and(|text| text.contains("SIGKILL")), "{:?}", slot.trouble);
    }
    let said = slot.died(&end(), &POLICY);
    assert!(said.starts_with("quarantined, tried again in 300 s: died 4 times"), "{said}");
    assert_eq!(slot.word(), "quarantined");
    let due = slot.due_at().unwrap();
    assert!(due > Instant::now() + Duration::from_secs(290) && slot.is_due(due));
    let said = slot.died(&end(), &POLICY);
    assert!(said.starts_with("quarantined"), "one more death leads back: {said}");
    assert!(slot.trouble.as_deref().is_some_and(|text| text.contains("SIGKILL")), "an operator reads why");
}

#[test]
fn a_start_that_fails_is_tried_again_and_a_closed_place_stays_empty() {
    let mut slot = Slot::<ToScanner>::new();
    slot.not_started("no room for another child process", Duration::from_secs(1));
    let now = Instant::now();
    assert!(!slot.is_due(now) && slot.is_due(now + Duration::from_secs(1)));
    assert_eq!(slot.trouble.as_deref(), Some("no room for another child process"));
    assert_eq!(slot.restarts, 0, "nobody has lived");
    slot.close();
    assert_eq!((slot.word(), slot.due_at(), slot.child().is_none()), ("stopped", None, true));
}
