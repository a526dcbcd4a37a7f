//! What a worker asks for, answered in this process: it looks at chains and derives secrets, and sends nothing.

use super::Reach;
use crate::parent::PerSide;
use crate::worker::{Errands, Leave};
use facilitator_chain::reader::{Answer, Query};
use facilitator_protocol::model::{Side, Update};
use facilitator_protocol::secret::{HashLockKey, SecretInput, UnlockSecret, derive};
use facilitator_sender::{Submit, SubmitAnswer};

/// Answers one worker's questions.
pub(super) struct Desk {
    pub(super) reach: PerSide<Reach>,
    pub(super) key: HashLockKey,
}

impl Errands for Desk {
    async fn read_many(&mut self, reads: Vec<(Side, Vec<Query>)>) -> Result<Vec<Vec<Answer>>, Leave> {
        let mut answers = Vec::with_capacity(reads.len());
        for (side, queries) in reads {
            answers.push(self.reach[side].reader.ask(queries).await);
        }
        Ok(answers)
    }

    async fn secret(&mut self, of: SecretInput) -> Result<UnlockSecret, Leave> {
        Ok(derive(&self.key, &of))
    }

    async fn submit_many(&mut self, _: Vec<(Side, Submit)>) -> Result<Vec<SubmitAnswer>, Leave> {
        Err(Leave::Stopped)
    }

    async fn save(&mut self, _: Update) -> Result<(), Leave> {
        Err(Leave::Stopped)
    }
}
