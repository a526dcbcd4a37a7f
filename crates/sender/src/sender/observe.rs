//! Finding out which transactions in flight were mined: counts first, receipts only where a count moved.

use super::{Reach, Sender, end::Ending};
use crate::{
    SenderError,
    book::Flight,
    keep::Keep,
    node::{Ask, Question, Receipt, Simulate, Simulation, Success},
    policy::receipt::{self, Counts, Pending, Receipts},
    types::{Failure, Head},
};
use facilitator_eth::{
    B256, Bytes,
    abi::Revert,
    tx::{self, Fee},
};
use facilitator_kill::kill_point;
use facilitator_protocol::model::Step;
use facilitator_store::journal::{Attempt, EntryId, EntryState, Inclusion, Notify};
use std::collections::{BTreeSet, HashMap};

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Brings the book up to what the chain says at this head.
    pub(super) async fn observe(&mut self, head: Head, now_ms: i64) -> Result<(), SenderError> {
        self.note_counts(head);
        self.settle(head, now_ms).await?;
        let asked = self.pending(head, Pending::Ask);
        if !asked.is_empty() {
            let Some(found) = self.receipts(&asked, head, now_ms).await else { return Ok(()) };
            self.apply(&asked, &found, head, now_ms).await?;
            self.drop_superseded(head, now_ms).await?;
        }
        self.observed = Some(head.number);
        // Without confirmations a receipt is the end.
        self.settle(head, now_ms).await
    }

    fn note_counts(&mut self, head: Head) {
        for (address, account) in &mut self.accounts {
            let Some(count) = self.survey.count(*address) else { continue };
            if account.count != Some(count) {
                account.count = Some(count);
                account.progress = head.number;
            }
        }
    }

    fn pending(&self, head: Head, wanted: Pending) -> Vec<EntryId> {
        let decide = |flight: &&Flight| {
            let (Some(nonce), Some(latest)) = (flight.entry.nonce, self.survey.count(flight.account)) else {
                return false;
            };
            let counts = Counts { latest, finalised: self.survey.final_count(flight.account) };
            let receipts = if flight.missing_at == Some(head.number) { Receipts::Missing } else { Receipts::NotAsked };
            receipt::pending(nonce, counts, receipts) == wanted
        };
        self.book.iter().filter(|flight| flight.is_in_flight()).filter(decide).map(Flight::id).collect()
    }

    async fn apply(
        &mut self,
        asked: &[EntryId],
        found: &HashMap<B256, Receipt>,
        head: Head,
        now_ms: i64,
    ) -> Result<(), SenderError> {
        let mut mined: Vec<(EntryId, Inclusion)> = Vec::new();
        let mut reverted: Vec<(EntryId, Inclusion)> = Vec::new();
        for id in asked {
            let Some(flight) = self.book.get_mut(*id) else { continue };
            let receipt =
                |attempt: &Attempt| found.get(&attempt.hash).map(|receipt| (receipt.success, paid(attempt, receipt)));
            match flight.entry.attempts.iter().find_map(receipt) {
                Some((Success::Yes, at)) => mined.push((*id, at)),
                Some((Success::Reverted, at)) => reverted.push((*id, at)),
                None => flight.missing_at = Some(head.number),
            }
        }
        if !mined.is_empty() {
            kill_point!("sender.seen_mined");
            self.journal.mined(&self.leases(), &mined, Notify::Nobody, now_ms).await?;
            kill_point!("sender.mined_committed");
        }
        for (id, inclusion) in mined {
            if let Some(flight) = self.book.get_mut(id) {
                let (intent, block) = (&flight.entry.intent, inclusion.block_number);
                tracing::info!(intent, request = flight.request(), block, hash = %inclusion.hash, "transaction mined");
                flight.entry.state = EntryState::Mined;
                flight.entry.inclusion = Some(inclusion);
                flight.missing_at = None;
            }
            self.tell_of(id);
        }
        let reasons = self.reasons(&reverted, now_ms).await;
        for ((id, inclusion), reason) in reverted.into_iter().zip(reasons) {
            if let Some(flight) = self.book.get_mut(id) {
                let intent = &flight.entry.intent;
                tracing::warn!(intent, request = flight.request(), hash = %inclusion.hash, %reason, "transaction reverted");
                flight.reverted = Some((inclusion, reason));
            }
        }
        Ok(())
    }

    /// Why mined transactions reverted: they are replayed on the state before their block. That is not exactly the
    /// state they met, so the reason is for people; decisions rest on the chain's status.
    async fn reasons(&mut self, reverted: &[(EntryId, Inclusion)], now_ms: i64) -> Vec<Revert> {
        let unknown = || vec![Revert::Empty; reverted.len()];
        let replays: Vec<(Simulation, u64, u64)> = reverted
            .iter()
            .filter_map(|(id, at)| {
                let flight = self.book.get(*id)?;
                let gas = flight.newest()?.gas_limit;
                Some((simulation(flight)?, at.block_number.saturating_sub(1), gas))
            })
            .collect();
        if replays.is_empty() || replays.len() != reverted.len() {
            return unknown();
        }
        let asked: Vec<Simulate<'_>> =
            replays.iter().map(|(simulation, block, gas)| Simulate::Replay(simulation, *block, *gas)).collect();
        let answers = self.node.simulate(&asked).await;
        let Some(answers) = self.reached(answers, now_ms) else { return unknown() };
        let reason = |answer: Result<_, facilitator_chain::rpc::RpcError>| {
            answer.err().and_then(|error| error.revert_data()).map_or(Revert::Empty, |data| Revert::decode(&data.0))
        };
        answers.into_iter().map(reason).collect()
    }

    /// Gives up those whose nonce another transaction used, once that is final.
    async fn drop_superseded(&mut self, head: Head, now_ms: i64) -> Result<(), SenderError> {
        let suspects = self.pending(head, Pending::Suspect);
        let questions: BTreeSet<Question> = suspects
            .iter()
            .filter_map(|id| self.book.get(*id))
            .map(|flight| Question::FinalCount(flight.account))
            .collect();
        if self.ask(questions, head, now_ms).await == Reach::Down {
            return Ok(());
        }
        let mut endings = Vec::new();
        let mut again = Vec::new();
        for id in self.pending(head, Pending::Superseded) {
            let Some(flight) = self.book.get(id) else { continue };
            let (account, nonce) = (flight.account, flight.entry.nonce.unwrap_or_default());
            tracing::warn!(intent = flight.entry.intent, request = flight.request(), %account, nonce, "another transaction used the nonce");
            if !self.may_sign(account) {
                // Nothing is signed here in its place: whoever needs it submits it again.
                endings.push(Ending::unmined(id, Failure::Superseded { account, nonce }));
                continue;
            }
            match flight.entry.step {
                // Their purpose is bound to the moment: whether they are still needed is decided anew.
                Step::Approve | Step::Cancel => {
                    endings.push(Ending::unmined(id, Failure::Superseded { account, nonce }));
                }
                Step::Accept | Step::ProveGateway | Step::Confirm | Step::ProgressSource | Step::ProgressTarget => {
                    again.push(id);
                }
            }
        }
        self.fail(endings, now_ms).await?;
        self.requeue(&again, now_ms).await
    }

    /// Queues entries again whose nonce is lost for good: estimated and signed anew, with a new nonce.
    async fn requeue(&mut self, ids: &[EntryId], now_ms: i64) -> Result<(), SenderError> {
        if ids.is_empty() {
            return Ok(());
        }
        kill_point!("sender.nonce_lost");
        self.journal.requeue(&self.leases(), ids, now_ms).await?;
        kill_point!("sender.requeued");
        for id in ids {
            let Some(flight) = self.book.get_mut(*id) else { continue };
            flight.entry.state = EntryState::Queued;
            flight.entry.nonce = None;
            flight.missing_at = None;
            flight.sent_at = None;
            flight.data = call_data(flight);
        }
        Ok(())
    }
}

/// Where an attempt stands, with the price that was paid. Without EIP-1559 that is the one offered, which nodes of that
/// time don't repeat in the receipt.
fn paid(attempt: &Attempt, receipt: &Receipt) -> Inclusion {
    match attempt.fee {
        Fee::Legacy { gas_price } => Inclusion { gas_price, ..receipt.inclusion },
        Fee::Dynamic { .. } => receipt.inclusion,
    }
}

/// A flight as it is simulated; `None` if its call data is unknown.
pub(super) fn simulation(flight: &Flight) -> Option<Simulation> {
    let data = call_data(flight)?;
    Some(Simulation { from: flight.account, to: flight.entry.to, value: flight.entry.value, data })
}

/// The call data: at hand, or taken out of the bytes that were signed before a restart.
pub(super) fn call_data(flight: &Flight) -> Option<Bytes> {
    flight
        .data
        .clone()
        .or_else(|| flight.newest().and_then(|attempt| tx::open(&attempt.raw)).map(|opened| opened.transaction.data))
}
