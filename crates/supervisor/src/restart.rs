//! When a child that died is started again: soon, or once in a long while. Pure: the length of each life is an argument.
//!
//! Time is counted as run time: the pauses between lives do not count towards the window. Otherwise a growing
//! back-off would space the deaths so far apart that a child which dies at once is never found out.

use std::collections::VecDeque;
use std::time::Duration;

/// The rules for one kind of child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Pause after the first death; doubles with each further death in the window.
    pub base: Duration,
    /// Longest pause.
    pub max: Duration,
    /// So many deaths within `window` put the child into quarantine.
    pub limit: u32,
    /// Run time over which deaths are counted; a life as long as this wipes the slate clean.
    pub window: Duration,
    /// Pause of a child in quarantine until its next try. A try that dies within `window` leads back there.
    pub quarantine: Duration,
}

/// What follows from a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Start it again after a pause.
    Restart {
        /// The pause.
        after: Duration,
    },
    /// It keeps dying: leave it alone for long. The caller keeps the reason of the last death for the operator.
    Quarantine {
        /// The pause.
        after: Duration,
        /// Deaths in the window.
        deaths: u32,
        /// Run time in which they happened.
        within: Duration,
    },
}

/// The recent deaths of one child. At most [`RestartPolicy::limit`] entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestartHistory {
    /// Lengths of the last lives, oldest first; all of them but the oldest lie wholly in the window.
    lives: VecDeque<Duration>,
}

impl RestartHistory {
    /// No deaths yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes the death of a child that ran for `lived` and decides. Planned ends are not to be told.
    pub fn died(&mut self, lived: Duration, policy: &RestartPolicy) -> Decision {
        self.lives.push_back(lived);
        self.forget_before(policy.window);
        let deaths = self.deaths();
        if deaths >= policy.limit {
            let decision = Decision::Quarantine { after: policy.quarantine, deaths, within: self.span() };
            // One try that dies soon is enough to come back here.
            self.lives.pop_front();
            return decision;
        }
        Decision::Restart { after: pause(policy, deaths) }
    }

    /// Deaths in the window.
    pub fn deaths(&self) -> u32 {
        u32::try_from(self.lives.len()).unwrap_or(u32::MAX)
    }

    /// Run time between the oldest death kept and the last one.
    fn span(&self) -> Duration {
        self.lives.iter().skip(1).fold(Duration::ZERO, |sum, life| sum.saturating_add(*life))
    }

    fn forget_before(&mut self, window: Duration) {
        while self.lives.len() > 1 && self.span() >= window {
            self.lives.pop_front();
        }
    }
}

fn pause(policy: &RestartPolicy, deaths: u32) -> Duration {
    let doublings = deaths.saturating_sub(1);
    let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
    policy.base.saturating_mul(factor).min(policy.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RestartPolicy = RestartPolicy {
        base: Duration::from_millis(200),
        max: Duration::from_millis(3_000),
        limit: 6,
        window: Duration::from_millis(60_000),
        quarantine: Duration::from_millis(300_000),
    };

    /// Lives in ms, and what follows from each death: the pause in ms, or `None` for quarantine.
    #[track_caller]
    fn check(name: &str, lives_and_pauses: &[(u64, Option<u64>)]) {
        let mut history = RestartHistory::new();
        for (step, (lived, pause)) in lives_and_pauses.iter().enumerate() {
            let got = match history.died(Duration::from_millis(*lived), &POLICY) {
                Decision::Restart { after } => Some(after),
                Decision::Quarantine { after, deaths, within } => {
                    assert!(after == POLICY.quarantine && deaths == POLICY.limit && within < POLICY.window);
                    None
                }
            };
            assert_eq!(got, pause.map(Duration::from_millis), "{name}, death {}", step + 1);
            assert!(history.deaths() <= POLICY.limit);
        }
    }

    #[test]
    fn table() {
        check("one death after a long life starts again at the base", &[(3_600_000, Some(200))]);
        check(
            "dying at once: pauses double up to the maximum, then quarantine",
            &[(1, Some(200)), (1, Some(400)), (1, Some(800)), (1, Some(1_600)), (1, Some(3_000)), (1, None)],
        );
        check(
            "dying every ten seconds is a loop too",
            &[(10_000, Some(200)), (10_000, Some(400)), (10_000, Some(800)), (10_000, Some(1_600))]
                .into_iter()
                .chain([(10_000, Some(3_000)), (9_999, None)])
                .collect::<Vec<_>>(),
        );
        check(
            "a try out of quarantine that dies soon leads back, a long life to the base",
            &[(1, Some(200)), (1, Some(400)), (1, Some(800)), (1, Some(1_600)), (1, Some(3_000)), (1, None)]
                .into_iter()
                .chain([(1, None), (5_000, None), (1, None), (60_000, Some(200)), (1, Some(400))])
                .collect::<Vec<_>>(),
        );
        check("a life as long as the window forgives", &[(1, Some(200)), (1, Some(400)), (60_000, Some(200))]);
        check(
            "deaths a third of the window apart never lead to quarantine",
            &[(20_000, Some(200)), (20_000, Some(400)), (20_000, Some(800)), (20_000, Some(800))]
                .into_iter()
                .chain(vec![(20_000, Some(800)); 100])
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn extremes_do_not_overflow() {
        let first = Decision::Restart { after: POLICY.base };
        let endless = RestartPolicy { limit: u32::MAX, window: Duration::MAX, ..POLICY };
        let mut history = RestartHistory::new();
        for _ in 0..200 {
            history.died(Duration::ZERO, &endless);
        }
        let last = history.died(Duration::from_secs(1), &endless);
        assert_eq!(last, Decision::Restart { after: POLICY.max });
        assert_eq!(history.died(Duration::MAX, &POLICY), first);
    }
}
