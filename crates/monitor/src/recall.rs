//! Events that depend on the moment at which one looks: written down when first seen, and told with that block from then
//! on, so that a run that failed tells the same event again, and no run tells it twice. Pure.

use crate::{SystemEvent, Window};
use serde::{Deserialize, Serialize};

/// Something that is, or was, the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Names it: as long as it holds, it is one event.
    key: String,
    /// The event if it begins now.
    pub(crate) event: SystemEvent,
}

impl Condition {
    /// A condition.
    pub(crate) fn new(key: impl Into<String>, event: SystemEvent) -> Self {
        Self { key: key.into(), event }
    }
}

/// A condition as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    key: String,
    event: SystemEvent,
    /// It does not hold any more.
    over: bool,
}

/// What is remembered from now on, and what is to be told: `present` is all that holds now.
pub(crate) fn recall(noted: Vec<Noted>, present: Vec<Condition>, window: Window) -> (Vec<Noted>, Vec<SystemEvent>) {
    let mut kept: Vec<Noted> = Vec::with_capacity(noted.len().max(present.len()));
    for mut old in noted {
        old.over |= present.iter().all(|condition| condition.key != old.key);
        // Before the window every receiver has it.
        if !old.over || old.event.block >= window.from {
            kept.push(old);
        }
    }
    for Condition { key, event } in present {
        let known = kept.iter().any(|old| old.key == key && (!old.over || old.event == event));
        if !known {
            kept.push(Noted { key, event, over: false });
        }
    }
    let told = kept.iter().filter(|noted| noted.event.block >= window.from).map(|noted| noted.event.clone()).collect();
    (kept, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Alert;

    fn condition(key: &str, block: u64) -> Condition {
        Condition::new(key, SystemEvent::new(Alert::WorkerBalanceLow, 3, block).with("key", key))
    }

    fn blocks(events: &[SystemEvent]) -> Vec<u64> {
        events.iter().map(|event| event.block).collect()
    }

    const fn window(from: u64, to: u64) -> Window {
        Window { from, to }
    }

    #[test]
    fn a_condition_is_told_with_the_block_at_which_it_began_until_that_lies_behind() {
        let (noted, told) = recall(Vec::new(), vec![condition("low", 10)], window(0, 10));
        assert_eq!(blocks(&told), [10]);
        // A run that failed: the same window and more, the same event.
        let (noted, told) = recall(noted, vec![condition("low", 20)], window(0, 20));
        assert_eq!(blocks(&told), [10]);
        let (noted, told) = recall(noted, vec![condition("low", 30)], window(18, 30));
        assert!(told.is_empty() && noted.len() == 1, "it still holds: nothing new");
    }

    #[test]
    fn what_is_over_is_told_until_everybody_has_it_and_may_begin_anew() {
        let (noted, _) = recall(Vec::new(), vec![condition("low", 10)], window(0, 10));
        let (noted, told) = recall(noted, Vec::new(), window(0, 20));
        assert_eq!(blocks(&told), [10], "nobody may have it yet");
        let (noted, told) = recall(noted, vec![condition("low", 25)], window(8, 25));
        assert_eq!(blocks(&told), [10, 25]);
        let (noted, told) = recall(noted, Vec::new(), window(26, 40));
        assert!(told.is_empty() && noted.is_empty());
    }

    #[test]
    fn an_event_of_the_chain_is_one_and_the_same_however_often_it_comes_and_goes() {
        let (noted, _) = recall(Vec::new(), vec![condition("x", 10)], window(0, 12));
        let (noted, _) = recall(noted, Vec::new(), window(0, 13));
        let (noted, told) = recall(noted, vec![condition("x", 10)], window(0, 14));
        assert_eq!(blocks(&told), [10]);
        assert_eq!(noted.len(), 1);
    }
}
