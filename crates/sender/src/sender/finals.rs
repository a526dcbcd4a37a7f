//! Intents that are final in the journal and are submitted again: whoever submits has just read that the effect is
//! missing.
//!
//! Usually it has read an old state. But a reorg may be deeper than the confirmations, and a storage root may be pushed
//! out of the gateway's ring buffer long after it was proven (protocol.md R18). The receipt tells which it is.

use super::{Reach, Sender};
use crate::{
    SenderError,
    book::{Flight, answer_of, request_of},
    keep::Keep,
    node::{Ask, Question, Receipt, Success},
    types::{Failure, Head, SubmitAnswer},
};
use facilitator_eth::Address;
use facilitator_kill::kill_point;
use facilitator_protocol::model::Step;
use facilitator_store::journal::{Entry, EntryState, Failed, Failure as Stored, Inclusion};
use std::collections::{BTreeMap, BTreeSet};

/// A final entry of one of our accounts.
struct Suspect {
    entry: Entry,
    account: Address,
    nonce: u64,
    at: Inclusion,
    /// Newest block before the state was read that says otherwise.
    seen: u64,
}

/// What becomes of a final entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is as final as the journal says, or nobody can tell.
    Stands,
    /// It was mined and its effect has been undone since by other transactions: it has to be had anew.
    Undone,
    /// A reorg took it out: the same bytes are sent again.
    Vanished,
    /// A reorg took it out, and another transaction used its nonce, finally.
    Lost,
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Judges entries that are final in the journal, and returns the answers for those that stay so. The others are in
    /// the book again or free to be queued.
    ///
    /// Dying in between leaves each as it was, or free, or in flight, as the next submission finds it.
    pub(super) async fn recheck(
        &mut self,
        finals: Vec<(Entry, u64)>,
        now_ms: i64,
    ) -> Result<BTreeMap<String, SubmitAnswer>, SenderError> {
        let mut answers: BTreeMap<String, SubmitAnswer> =
            finals.iter().map(|(entry, _)| (entry.intent.clone(), answer_of(entry))).collect();
        let suspects: Vec<Suspect> = finals.into_iter().filter_map(|(entry, seen)| self.suspect(entry, seen)).collect();
        if suspects.is_empty() || self.node_is_resting(now_ms) {
            return Ok(answers);
        }
        let Some(head) = self.ensure_head(now_ms).await else { return Ok(answers) };
        let Some(fates) = self.fates(&suspects, head, now_ms).await else { return Ok(answers) };
        kill_point!("sender.finals_judged");
        for suspect in
            suspects.iter().zip(&fates).filter(|(_, fate)| **fate != Fate::Stands).map(|(suspect, _)| suspect)
        {
            answers.remove(&suspect.entry.intent);
        }
        let of = |wanted: Fate| -> Vec<&Suspect> {
            suspects.iter().zip(&fates).filter(|(_, fate)| **fate == wanted).map(|(suspect, _)| suspect).collect()
        };
        self.supersede(&of(Fate::Undone), now_ms).await?;
        self.send_again(&of(Fate::Vanished), now_ms).await?;
        self.give_up(&of(Fate::Lost), now_ms).await?;
        Ok(answers)
    }

    /// An entry of another instance's account is theirs to judge.
    fn suspect(&self, entry: Entry, seen: u64) -> Option<Suspect> {
        let account = entry.account.filter(|account| self.may_sign(*account))?;
        let (nonce, at) = (entry.nonce?, entry.inclusion?);
        Some(Suspect { entry, account, nonce, at, seen })
    }

    /// `None` if the node does not answer.
    async fn fates(&mut self, suspects: &[Suspect], head: Head, now_ms: i64) -> Option<Vec<Fate>> {
        let hashes: Vec<_> = suspects.iter().map(|suspect| suspect.at.hash).collect();
        let answers = self.node.receipts(&hashes).await;
        let mut receipts: Vec<Option<Receipt>> = Vec::with_capacity(suspects.len());
        for answer in self.reached(answers, now_ms)? {
            match answer {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => {
                    self.node_failed(&error, now_ms);
                    return None;
                }
            }
        }
        let mut questions = BTreeSet::new();
        for (suspect, _) in suspects.iter().zip(&receipts).filter(|(_, receipt)| receipt.is_none()) {
            questions.insert(Question::FinalCount(suspect.account));
            if suspect.at.block_number <= head.number {
                questions.insert(Question::BlockHash(suspect.at.block_number));
            }
        }
        if self.ask(questions, head, now_ms).await == Reach::Down {
            return None;
        }
        Some(suspects.iter().zip(receipts).map(|(suspect, receipt)| self.fate(suspect, receipt, head)).collect())
    }

    fn fate(&self, suspect: &Suspect, receipt: Option<Receipt>, head: Head) -> Fate {
        match receipt {
            Some(receipt) if receipt.success == Success::Yes => {
                // One block beyond finality: whoever read the state before it was final is not believed.
                let settled = receipt.inclusion.block_number.saturating_add(self.settings.confirmations);
                let late = suspect.seen.min(head.number) > settled;
                if can_be_undone(suspect.entry.step) && late { Fate::Undone } else { Fate::Stands }
            }
            Some(_) => Fate::Vanished,
            None => self.fate_without_receipt(suspect, head),
        }
    }

    fn fate_without_receipt(&self, suspect: &Suspect, head: Head) -> Fate {
        if suspect.at.block_number <= head.number {
            match self.survey.block_hash(suspect.at.block_number) {
                // Its block stands: the node has merely forgotten the receipt.
                Some(hash) if hash == suspect.at.block_hash => return Fate::Stands,
                Some(_) => {}
                None => return Fate::Stands,
            }
        }
        match self.survey.final_count(suspect.account) {
            Some(count) if suspect.nonce < count => Fate::Lost,
            Some(_) => Fate::Vanished,
            None => Fate::Stands,
        }
    }

    async fn supersede(&mut self, suspects: &[&Suspect], now_ms: i64) -> Result<(), SenderError> {
        if suspects.is_empty() {
            return Ok(());
        }
        for suspect in suspects {
            tracing::warn!(
                intent = suspect.entry.intent,
                request = request_of(&suspect.entry),
                "the effect was undone since: it is sent once more"
            );
        }
        let ids: Vec<_> = suspects.iter().map(|suspect| suspect.entry.id).collect();
        self.journal.supersede(&self.leases(), &ids, now_ms).await?;
        kill_point!("sender.undone_superseded");
        Ok(())
    }

    async fn send_again(&mut self, suspects: &[&Suspect], now_ms: i64) -> Result<(), SenderError> {
        if suspects.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = suspects.iter().map(|suspect| suspect.entry.id).collect();
        self.journal.reopen(&self.leases(), &ids, now_ms).await?;
        kill_point!("sender.vanished_reopened");
        for suspect in suspects {
            tracing::warn!(
                intent = suspect.entry.intent,
                request = request_of(&suspect.entry),
                "a reorg deeper than the confirmations undid it"
            );
            let entry = Entry { state: EntryState::Broadcast, inclusion: None, ..suspect.entry.clone() };
            self.book.insert(Flight::new(entry, suspect.account));
        }
        Ok(())
    }

    async fn give_up(&mut self, suspects: &[&Suspect], now_ms: i64) -> Result<(), SenderError> {
        if suspects.is_empty() {
            return Ok(());
        }
        let failed = |suspect: &&Suspect| {
            let failure = Failure::Superseded { account: suspect.account, nonce: suspect.nonce };
            tracing::warn!(intent = suspect.entry.intent, request = request_of(&suspect.entry), reason = %failure, "a reorg undid it");
            let failure = Stored { kind: failure.kind().to_owned(), message: failure.to_string(), detail: None };
            Failed { id: suspect.entry.id, inclusion: None, failure }
        };
        let ids: Vec<_> = suspects.iter().map(|suspect| suspect.entry.id).collect();
        // Between the two it looks like any other whose nonce was taken, and is healed like it.
        self.journal.reopen(&self.leases(), &ids, now_ms).await?;
        kill_point!("sender.lost_reopened");
        self.journal.fail(&self.leases(), &suspects.iter().map(failed).collect::<Vec<_>>(), now_ms).await?;
        kill_point!("sender.lost_failed");
        Ok(())
    }
}

/// Whether others can undo the effect of a step that has succeeded.
const fn can_be_undone(step: Step) -> bool {
    match step {
        // The gateway keeps so many storage roots; a proof of another height may push this one out.
        Step::ProveGateway => true,
        Step::Approve | Step::Accept | Step::Confirm | Step::ProgressSource | Step::ProgressTarget | Step::Cancel => {
            false
        }
    }
}
