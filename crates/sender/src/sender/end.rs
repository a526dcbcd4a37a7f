//! How intents end, well or badly, and what that means for those that come after them.

use super::Sender;
use crate::{
    SenderError,
    book::{DependencyDone, Flight},
    keep::Keep,
    node::Ask,
    types::{Failure, Outcome, SubmitAnswer},
};
use facilitator_kill::kill_point;
use facilitator_protocol::model::Step;
use facilitator_store::journal::{EntryId, Failed, Failure as Stored, Inclusion, Notify, Visibility};

/// An entry that ends without its effect.
pub(super) struct Ending {
    pub(super) id: EntryId,
    /// Where it was mined, if it was.
    pub(super) inclusion: Option<Inclusion>,
    pub(super) failure: Failure,
}

impl Ending {
    /// One of which nothing was mined.
    pub(super) fn unmined(id: EntryId, failure: Failure) -> Self {
        Self { id, inclusion: None, failure }
    }
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Ends entries and all queued ones that depend on them. Their requests are woken in the same database
    /// transaction.
    pub(super) async fn fail(&mut self, endings: Vec<Ending>, now_ms: i64) -> Result<(), SenderError> {
        if endings.is_empty() {
            return Ok(());
        }
        let mut endings = endings;
        let mut next = 0;
        while let Some(ending) = endings.get(next) {
            let dependents: Vec<Ending> = self.dependents(ending);
            let new: Vec<Ending> = dependents.into_iter().filter(|d| endings.iter().all(|e| e.id != d.id)).collect();
            endings.extend(new);
            next += 1;
        }
        let failed: Vec<Failed> = endings.iter().map(stored).collect();
        kill_point!("sender.failed");
        self.journal.fail(&self.leases(), &failed, now_ms).await?;
        kill_point!("sender.failure_committed");
        for ending in endings {
            if let Some(flight) = self.book.remove(ending.id) {
                if ending.inclusion.is_some() {
                    self.note_final(&flight);
                }
                tracing::info!(intent = flight.entry.intent, request = flight.request(), reason = %ending.failure, "transaction failed");
                self.tell(&flight, &SubmitAnswer::Failed(ending.failure));
            }
        }
        Ok(())
    }

    /// Ends what would reveal a secret and is not signed yet (law 4): whether it still may be revealed is looked at anew,
    /// since the chain that this depends on may be another one when the gate opens.
    pub(super) async fn hand_secrets_back(&mut self, now_ms: i64) -> Result<(), SenderError> {
        let reveals = |flight: &&Flight| flight.is_queued() && flight.entry.visibility == Visibility::Reveals;
        let ids: Vec<EntryId> = self.book.iter().filter(reveals).map(Flight::id).collect();
        self.fail(ids.into_iter().map(|id| Ending::unmined(id, Failure::Interrupted)).collect(), now_ms).await
    }

    fn dependents(&self, ending: &Ending) -> Vec<Ending> {
        let Some(ended) = self.book.get(ending.id) else { return Vec::new() };
        let waits = |flight: &&Flight| flight.is_queued() && depends(flight, ended, &ending.failure);
        let reason = || Failure::DependencyFailed(format!("{}: {}", ended.entry.intent, ending.failure));
        self.book.iter().filter(waits).map(|flight| Ending::unmined(flight.id(), reason())).collect()
    }

    /// Ends entries whose effect is final.
    pub(super) async fn finalise(&mut self, ids: &[EntryId], now_ms: i64) -> Result<(), SenderError> {
        if ids.is_empty() {
            return Ok(());
        }
        kill_point!("sender.seen_final");
        // The scanner sees the event of every step and wakes its request: a second wake-up would start a worker
        // for nothing.
        self.journal.finalise(&self.leases(), ids, Notify::Nobody, now_ms).await?;
        kill_point!("sender.final_committed");
        for id in ids {
            let Some(flight) = self.book.remove(*id) else { continue };
            self.note_final(&flight);
            for other in self.book.iter_mut().filter(|f| f.entry.after.as_ref() == Some(&flight.entry.intent)) {
                other.dependency_done = DependencyDone::Yes;
            }
            if let Some(at) = flight.entry.inclusion {
                self.tell(&flight, &SubmitAnswer::Final { hash: at.hash, block: at.block_number });
            }
        }
        Ok(())
    }

    fn note_final(&mut self, flight: &Flight) {
        if let Some(account) = self.accounts.get_mut(&flight.account) {
            account.highest_final = account.highest_final.max(flight.entry.nonce);
        }
    }

    /// Reports how far an intent is to all that wait for it.
    pub(super) fn tell(&mut self, flight: &Flight, answer: &SubmitAnswer) {
        self.outcomes.extend(outcomes(flight, answer));
    }

    /// The same for one that is in the book.
    pub(super) fn tell_of(&mut self, id: EntryId) {
        if let Some(flight) = self.book.get(id) {
            self.outcomes.extend(outcomes(flight, &flight.answer()));
        }
    }
}

fn outcomes(flight: &Flight, answer: &SubmitAnswer) -> Vec<Outcome> {
    let outcome = |request_id| Outcome { intent: flight.entry.intent.clone(), request_id, answer: answer.clone() };
    if flight.waiters.is_empty() {
        return vec![outcome(None)];
    }
    flight.waiters.iter().map(|id| outcome(Some(*id))).collect()
}

/// Whether `flight` can't succeed since `ended` ended so.
fn depends(flight: &Flight, ended: &Flight, failure: &Failure) -> bool {
    let named = flight.entry.after.as_ref() == Some(&ended.entry.intent);
    let spends = flight.account == ended.account
        && flight.entry.allowance.is_some_and(|allowance| allowance.token == ended.entry.to);
    named || (ended.entry.step == Step::Approve && spends && is_lasting(failure))
}

/// Whether asking for the same approval again at once would fail again.
const fn is_lasting(failure: &Failure) -> bool {
    match failure {
        Failure::WouldRevert(_)
        | Failure::Unexpected { .. }
        | Failure::Reverted { .. }
        | Failure::InsufficientFunds { .. }
        | Failure::InsufficientTokens { .. }
        | Failure::FeeCap { .. }
        | Failure::NoAccount(_)
        | Failure::DependencyFailed(_)
        | Failure::Unreachable(_)
        | Failure::Busy { .. } => true,
        Failure::Interrupted | Failure::Superseded { .. } | Failure::TakenOver | Failure::Abandoned { .. } => false,
    }
}

fn stored(ending: &Ending) -> Failed {
    let failure = Stored { kind: ending.failure.kind().to_owned(), message: ending.failure.to_string(), detail: None };
    Failed { id: ending.id, inclusion: ending.inclusion, failure }
}
