//! Following mined transactions until confirmations make them final, or a reorg takes them out.

use super::{
    Reach, Sender,
    end::Ending,
    survey::{self},
};
use crate::{
    SenderError,
    keep::Keep,
    node::{Ask, Question},
    policy::receipt::{self, Counts, Mined},
    types::{Failure, Head},
};
use facilitator_kill::kill_point;
use facilitator_store::journal::EntryId;
use std::collections::BTreeSet;

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Brings every mined transaction as far as this head allows.
    ///
    /// Dying between the steps repeats them: a final one stays mined in the journal and is found final again.
    pub(super) async fn settle(&mut self, head: Head, now_ms: i64) -> Result<(), SenderError> {
        let checks: BTreeSet<Question> = self
            .mined(head)
            .into_iter()
            .filter(|(_, decision)| *decision == Mined::Check)
            .filter_map(|(id, _)| self.book.get(id).and_then(survey::inclusion))
            .map(|(block, _)| Question::BlockHash(block))
            .collect();
        if self.ask(checks, head, now_ms).await == Reach::Down {
            return Ok(());
        }
        let decisions = self.mined(head);
        let of = |wanted: &[Mined]| -> Vec<EntryId> {
            decisions.iter().filter(|(_, decision)| wanted.contains(decision)).map(|(id, _)| *id).collect()
        };
        self.reopen(&of(&[Mined::Vanished, Mined::Ask]), now_ms).await?;
        let (reverted, succeeded): (Vec<EntryId>, Vec<EntryId>) = of(&[Mined::Final])
            .into_iter()
            .partition(|id| self.book.get(*id).is_some_and(|flight| flight.reverted.is_some()));
        self.finalise(&succeeded, now_ms).await?;
        let endings = reverted.into_iter().filter_map(|id| self.reverted_ending(id)).collect();
        self.fail(endings, now_ms).await
    }

    fn mined(&self, head: Head) -> Vec<(EntryId, Mined)> {
        let decide = |flight: &crate::book::Flight| {
            let at = survey::inclusion(flight)?;
            let counts = Counts { latest: self.survey.count(flight.account)?, finalised: None };
            let canonical = self.survey.block_hash(at.0);
            let confirmations = self.settings.confirmations;
            let decision = receipt::mined(flight.entry.nonce?, counts, at, head.number, confirmations, canonical);
            Some((flight.id(), decision))
        };
        self.book.iter().filter_map(decide).collect()
    }

    /// Takes transactions that a reorg undid back into flight; they are sent again with the same bytes.
    async fn reopen(&mut self, ids: &[EntryId], now_ms: i64) -> Result<(), SenderError> {
        let successful: Vec<EntryId> = ids
            .iter()
            .copied()
            .filter(|id| self.book.get(*id).is_some_and(|flight| flight.reverted.is_none()))
            .collect();
        if !successful.is_empty() {
            kill_point!("sender.fork_seen");
            self.journal.reopen(&self.leases(), &successful, now_ms).await?;
            kill_point!("sender.fork_reopened");
        }
        for id in ids {
            let Some(flight) = self.book.get_mut(*id) else { continue };
            tracing::warn!(
                intent = flight.entry.intent,
                request = flight.request(),
                "a reorg took the transaction out of its block"
            );
            self.survey.forget_receipts(flight.entry.attempts.iter().map(|attempt| attempt.hash));
            flight.entry.state = facilitator_store::journal::EntryState::Broadcast;
            flight.entry.inclusion = None;
            flight.reverted = None;
            flight.missing_at = None;
            flight.sent_at = None;
            self.tell_of(*id);
        }
        Ok(())
    }

    fn reverted_ending(&self, id: EntryId) -> Option<Ending> {
        let (at, reason) = self.book.get(id)?.reverted.clone()?;
        let failure = Failure::Reverted { hash: at.hash, block: at.block_number, reason };
        Some(Ending { id, inclusion: Some(at), failure })
    }
}
