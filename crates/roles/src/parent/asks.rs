//! Open questions of workers to scanners and senders, so that answers find their way back and none is left without one.

use crate::messages::Ask;
use facilitator_protocol::model::Side;
use std::collections::HashMap;

/// Names one worker process for the life of the parent; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct WorkerNo(pub(super) u64);

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answerer {
    /// The scanner of a chain.
    Scanner(Side),
    /// The sender of a chain.
    Sender(Side),
}

/// What was asked, as far as it matters for an answer in the answerer's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// So many reads.
    Read {
        /// Number of queries.
        queries: usize,
    },
    /// A transaction.
    Submit,
    /// A secret.
    Secret,
}

/// One open question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// Who asked.
    pub(super) worker: WorkerNo,
    /// The name that the worker gave it.
    pub(super) ask: Ask,
    /// Who answers.
    pub(super) answerer: Answerer,
    /// What was asked.
    pub(super) question: Question,
}

/// All open questions.
#[derive(Debug, Default)]
pub(super) struct Asks {
    last: u64,
    open: HashMap<Ask, Open>,
}

impl Asks {
    /// Notes a question; the result names it towards the answerer.
    pub(super) fn note(&mut self, open: Open) -> Ask {
        self.last += 1;
        let ask = Ask(self.last);
        self.open.insert(ask, open);
        ask
    }

    /// Closes a question that `answerer` answers. `None`: the worker is gone meanwhile, or the answerer was restarted.
    pub(super) fn close(&mut self, ask: Ask, answerer: Answerer) -> Option<Open> {
        let open = *self.open.get(&ask)?;
        (open.answerer == answerer).then(|| self.open.remove(&ask)).flatten()
    }

    /// Takes out every question to an answerer that died: somebody must tell the workers.
    pub(super) fn orphaned(&mut self, answerer: Answerer) -> Vec<Open> {
        let asks: Vec<Ask> =
            self.open.iter().filter(|(_, open)| open.answerer == answerer).map(|(ask, _)| *ask).collect();
        asks.into_iter().filter_map(|ask| self.open.remove(&ask)).collect()
    }

    /// Forgets the questions of a worker that ended.
    pub(super) fn forget(&mut self, worker: WorkerNo) {
        self.open.retain(|_, open| open.worker != worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(worker: u64, ask: u64, answerer: Answerer) -> Open {
        Open { worker: WorkerNo(worker), ask: Ask(ask), answerer, question: Question::Submit }
    }

    #[test]
    fn answers_find_their_worker_once_and_only_from_whom_was_asked() {
        let mut asks = Asks::default();
        let origin = Answerer::Sender(Side::Origin);
        let first = asks.note(open(1, 7, origin));
        let second = asks.note(open(2, 7, Answerer::Scanner(Side::Origin)));
        assert_ne!(first, second);
        assert_eq!(asks.close(first, Answerer::Scanner(Side::Origin)), None);
        assert_eq!(asks.close(first, origin), Some(open(1, 7, origin)));
        assert_eq!(asks.close(first, origin), None);
    }

    #[test]
    fn the_questions_of_the_dead_are_not_kept() {
        let mut asks = Asks::default();
        let origin = Answerer::Sender(Side::Origin);
        asks.note(open(1, 1, origin));
        asks.note(open(1, 2, Answerer::Sender(Side::Auxiliary)));
        asks.note(open(2, 1, origin));
        asks.forget(WorkerNo(2));
        assert_eq!(asks.orphaned(origin), [open(1, 1, origin)]);
        assert_eq!(asks.orphaned(origin), []);
    }
}
