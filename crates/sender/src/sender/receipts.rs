//! Receipts: one by one, or of whole blocks where many are wanted. Where it can be foreseen that they will be wanted they
//! come with the counts that would call for them.

use super::{Sender, Support};
use crate::{
    book::Flight,
    keep::Keep,
    node::{Ask, Question, Receipt, ReceiptsOf},
    policy::receipt::{self, Source},
    types::Head,
};
use facilitator_chain::rpc::RpcError;
use facilitator_eth::B256;
use facilitator_store::journal::EntryId;
use std::collections::HashMap;

impl<N: Ask, K: Keep> Sender<N, K> {
    /// The receipts that will most likely be wanted once the counts are known, if these are about to be asked for: what was
    /// sent just now, by an account of which something was mined just now, is mined soon.
    pub(super) fn foreseen(&self, questions: &[Question], head: Head) -> Option<ReceiptsOf> {
        if !questions.iter().any(|question| matches!(question, Question::Count(_))) {
            return None;
        }
        let moves = |flight: &&Flight| {
            let progress = self.accounts.get(&flight.account).map_or(0, |account| account.progress);
            let is_soon = |sent_at| sent_at < head.number && receipt::is_recent(progress.max(sent_at), head.number);
            flight.is_in_flight() && flight.reverted.is_none() && flight.sent_at.is_some_and(is_soon)
        };
        let moving: Vec<&Flight> = self.book.iter().filter(moves).collect();
        match receipt::source(moving.len(), self.observed, head.number) {
            Source::Blocks(first, last) if self.block_receipts == Support::Assumed => {
                Some(ReceiptsOf::Blocks(first, last))
            }
            Source::Blocks(..) | Source::Single if moving.is_empty() || moving.len() > receipt::FEW => None,
            Source::Blocks(..) | Source::Single => {
                let newest = moving.iter().filter_map(|flight| flight.newest());
                Some(ReceiptsOf::Transactions(newest.map(|attempt| attempt.hash).collect()))
            }
        }
    }

    /// The node's answers, with the receipts that are wanted.
    pub(super) async fn answers(
        &mut self,
        questions: &[Question],
        with: Option<ReceiptsOf>,
        head: Head,
        now_ms: i64,
    ) -> Option<Vec<Result<B256, RpcError>>> {
        let heights = (head.number, head.number.saturating_sub(self.settings.confirmations));
        let Some(of) = with else {
            let answers = self.node.ask(questions, heights.0, heights.1).await;
            return self.reached(answers, now_ms);
        };
        match self.node.ask_with_receipts(questions, heights, &of).await {
            Ok(told) => {
                self.node_answered();
                match (told.receipts, &of) {
                    (Ok(receipts), _) => self.survey.put_receipts(&of, receipts),
                    (Err(error), ReceiptsOf::Blocks(..)) => self.no_block_receipts(&error),
                    // They are asked for again if they are wanted.
                    (Err(_), ReceiptsOf::Transactions(_)) => {}
                }
                Some(told.answers)
            }
            Err(error) => {
                self.node_failed(&error, now_ms);
                None
            }
        }
    }

    /// The receipts of all attempts of these entries, by hash; `None` if the node did not answer.
    pub(super) async fn receipts(
        &mut self,
        ids: &[EntryId],
        head: Head,
        now_ms: i64,
    ) -> Option<HashMap<B256, Receipt>> {
        self.read_blocks(ids.len(), head).await;
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        for flight in ids.iter().filter_map(|id| self.book.get(*id)) {
            let attempts = flight.entry.attempts.iter();
            match attempts.clone().find_map(|attempt| self.survey.receipt(&attempt.hash)) {
                Some(known) => drop(found.insert(known.inclusion.hash, *known)),
                None => missing.extend(attempts.map(|attempt| attempt.hash)),
            }
        }
        if missing.is_empty() {
            return Some(found);
        }
        let answers = self.node.receipts(&missing).await;
        for answer in self.reached(answers, now_ms)? {
            match answer {
                Ok(Some(receipt)) => drop(found.insert(receipt.inclusion.hash, receipt)),
                Ok(None) => {}
                // One unanswered question must not look like a missing receipt.
                Err(error) => {
                    self.node_failed(&error, now_ms);
                    return None;
                }
            }
        }
        Some(found)
    }

    /// Reads all receipts of the blocks that were not looked at yet, if so many are wanted and they are not there.
    async fn read_blocks(&mut self, wanted: usize, head: Head) {
        let Source::Blocks(first, last) = receipt::source(wanted, self.observed, head.number) else { return };
        if self.block_receipts == Support::Refused || self.survey.has_receipts_of(first, last) {
            return;
        }
        match self.node.block_receipts(first, last).await {
            Ok(receipts) => self.survey.put_receipts(&ReceiptsOf::Blocks(first, last), receipts),
            Err(error) => self.no_block_receipts(&error),
        }
    }

    /// Whatever it is, single receipts are the way that every node knows.
    fn no_block_receipts(&mut self, error: &RpcError) {
        tracing::debug!(%error, "no receipts by block");
        if !error.is_transient() {
            self.block_receipts = Support::Refused;
        }
    }
}
