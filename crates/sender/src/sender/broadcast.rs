//! Handing signed transactions to the node, and again, and with a higher fee where the old one gets nowhere.
//!
//! Invariant: only bytes that are committed are sent. A replacement has the same nonce, receiver, value and call data;
//! of all attempts of a nonce the chain takes one.

use super::{Sender, observe::simulation};
use crate::{
    SenderError,
    book::Flight,
    keep::Keep,
    node::Ask,
    policy::{
        answer::{self, SendAnswer},
        fee,
        stuck::{self, InFlight},
    },
    types::Head,
};
use facilitator_eth::{Address, Bytes};
use facilitator_kill::kill_point;
use facilitator_store::journal::{EntryId, EntryState, Sent};
use std::collections::BTreeSet;

/// Why transactions are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// Signed just now, or before a restart or reorg.
    Due,
    /// Stuck: if the node lost it, this mends it; if it knows it, the fee is to blame.
    Stuck,
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Sends what is due and heals what is stuck.
    ///
    /// Dying between sending and marking leaves an entry marked as signed: the same bytes are sent again, which the
    /// node knows already.
    pub(super) async fn broadcast(&mut self, head: Head, now_ms: i64) -> Result<(), SenderError> {
        let due = self.due(head);
        let mut weak = self.send(&due, Occasion::Due, head, now_ms).await?;
        let stuck = self.stuck(head);
        let known = self.send(&stuck, Occasion::Stuck, head, now_ms).await?;
        let lost = self.companions(&stuck, &known, head);
        weak.extend(known);
        weak.extend(self.send(&lost, Occasion::Due, head, now_ms).await?);
        let replaced = self.replace(&weak, head, now_ms).await?;
        self.send(&replaced, Occasion::Due, head, now_ms).await.map(drop)
    }

    /// Signed, not handed over by this process, and with a nonce that is still free; by account and nonce.
    fn due(&self, head: Head) -> Vec<EntryId> {
        self.in_order(|flight| {
            let count = self.survey.count(flight.account);
            let free = flight.entry.nonce.is_some_and(|nonce| count.is_none_or(|count| nonce >= count));
            free && flight.sent_at.is_none() && flight.refused_at != Some(head.number)
        })
    }

    fn in_order(&self, wanted: impl Fn(&Flight) -> bool) -> Vec<EntryId> {
        let ids = |account| self.book.in_flight(account).into_iter().filter(|f| wanted(f)).map(Flight::id);
        self.accounts.keys().flat_map(|account| ids(*account).collect::<Vec<_>>()).collect()
    }

    fn stuck(&self, head: Head) -> Vec<EntryId> {
        let Some(market) = self.market(head) else { return Vec::new() };
        let mut found = Vec::new();
        for (address, account) in &self.accounts {
            let flight = |flight: &&Flight| {
                let (nonce, _, fee) = flight.signed()?;
                let free = self.survey.count(*address).is_some_and(|count| nonce >= count);
                Some(InFlight { nonce, sent_at: flight.sent_at?, fee }).filter(|_| free)
            };
            let in_flight = self.book.in_flight(*address);
            let flights: Vec<InFlight> = in_flight.iter().filter_map(flight).collect();
            let after = self.settings.resend_after_blocks;
            let nonces = stuck::stuck(head.number, after, account.progress, market, &flights);
            let is_stuck = |flight: &&&Flight| flight.entry.nonce.is_some_and(|nonce| nonces.contains(&nonce));
            found.extend(in_flight.iter().filter(is_stuck).map(|flight| flight.id()));
        }
        found
    }

    /// Where the node took a stuck transaction as new, its pool has forgotten the account's others too.
    fn companions(&self, stuck: &[EntryId], known: &[EntryId], head: Head) -> Vec<EntryId> {
        let lost = |id: &&EntryId| {
            let taken = self.book.get(**id).is_some_and(|flight| flight.sent_at == Some(head.number));
            taken && !known.contains(id)
        };
        let accounts: BTreeSet<Address> =
            stuck.iter().filter(lost).filter_map(|id| self.book.get(*id)).map(|flight| flight.account).collect();
        self.in_order(|flight| accounts.contains(&flight.account) && flight.sent_at.is_some_and(|at| at < head.number))
    }

    /// Sends the newest attempts and returns those whose fee is too low.
    async fn send(
        &mut self,
        ids: &[EntryId],
        occasion: Occasion,
        head: Head,
        now_ms: i64,
    ) -> Result<Vec<EntryId>, SenderError> {
        let attempts: Vec<(EntryId, Sent, Bytes)> = ids
            .iter()
            .filter_map(|id| {
                let attempt = self.book.get(*id)?.newest()?;
                Some((*id, Sent { id: *id, hash: attempt.hash, block: head.number }, attempt.raw.clone()))
            })
            .collect();
        if attempts.is_empty() {
            return Ok(Vec::new());
        }
        let raw: Vec<&Bytes> = attempts.iter().map(|(_, _, raw)| raw).collect();
        let answers = self.node.send(&raw).await;
        kill_point!("sender.broadcast");
        let Some(answers) = self.reached(answers, now_ms) else { return Ok(Vec::new()) };
        let (mut sent, mut weak, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for ((id, mark, _), answer) in attempts.into_iter().zip(answers) {
            let decision = answer::classify(&answer);
            match (&decision, occasion) {
                (SendAnswer::Taken | SendAnswer::NonceUsed, _) | (SendAnswer::Known, Occasion::Due) => sent.push(mark),
                (SendAnswer::Known, Occasion::Stuck) => weak.push(id),
                (SendAnswer::Underpriced, _) => weak.push(id),
                (SendAnswer::NonceGap, _) => notes.push((id, "a lower nonce to be filled".to_owned())),
                (SendAnswer::Funds(text), _) => notes.push((id, format!("base coin on the account: {text}"))),
                (SendAnswer::Refused(text), _) => notes.push((id, format!("the node, which refuses it: {text}"))),
                (SendAnswer::Unclear(_), _) => {
                    if let Err(error) = &answer {
                        self.node_failed(error, now_ms);
                    }
                }
            }
        }
        self.mark_sent(&sent, head, now_ms).await?;
        self.hold(notes, head, now_ms).await?;
        Ok(weak)
    }

    async fn mark_sent(&mut self, sent: &[Sent], head: Head, now_ms: i64) -> Result<(), SenderError> {
        // What the journal has as broadcast needs no second mark.
        let fresh: Vec<Sent> = sent
            .iter()
            .copied()
            .filter(|mark| self.book.get(mark.id).is_some_and(|f| f.entry.state == EntryState::Signed))
            .collect();
        if !fresh.is_empty() {
            kill_point!("sender.seen_in_pool");
            self.journal.sent(&self.leases(), &fresh, now_ms).await?;
            kill_point!("sender.broadcast_committed");
        }
        for mark in sent {
            let Some(flight) = self.book.get_mut(mark.id) else { continue };
            flight.sent_at = Some(head.number);
            if flight.entry.state == EntryState::Signed {
                flight.entry.state = EntryState::Broadcast;
                let (intent, nonce, hash) = (&flight.entry.intent, flight.entry.nonce, mark.hash);
                tracing::info!(intent, request = flight.request(), nonce, %hash, "transaction sent");
                self.tell_of(mark.id);
            }
        }
        Ok(())
    }

    /// Leaves transactions alone until the next head, with a reason for the operator.
    async fn hold(&mut self, notes: Vec<(EntryId, String)>, head: Head, now_ms: i64) -> Result<(), SenderError> {
        let mut changed = Vec::new();
        for (id, text) in notes {
            let Some(flight) = self.book.get_mut(id) else { continue };
            flight.refused_at = Some(head.number);
            if flight.entry.waiting_for.as_ref() != Some(&text) {
                tracing::warn!(
                    intent = flight.entry.intent,
                    request = flight.request(),
                    reason = text,
                    "transaction waits"
                );
                flight.entry.waiting_for = Some(text.clone());
                changed.push((id, Some(text)));
            }
        }
        if !changed.is_empty() {
            self.journal.note(&self.leases(), &changed, now_ms).await?;
            kill_point!("sender.reason_noted");
        }
        Ok(())
    }

    /// Signs replacements at a higher fee, commits them and returns those that have one.
    async fn replace(&mut self, weak: &[EntryId], head: Head, now_ms: i64) -> Result<Vec<EntryId>, SenderError> {
        let Some(market) = self.market(head) else { return Ok(Vec::new()) };
        let (mut signatures, mut notes) = (Vec::new(), Vec::new());
        for id in weak {
            let Some(flight) = self.book.get(*id).filter(|flight| simulation(flight).is_some()) else { continue };
            let Some((nonce, gas_limit, old)) = flight.signed() else { continue };
            let replacements = flight.entry.attempts.len().saturating_sub(1);
            if replacements >= usize::try_from(self.settings.max_replacements).unwrap_or(usize::MAX) {
                notes.push((*id, format!("a block: replaced {replacements} times already, the limit")));
                continue;
            }
            match fee::replacement(old, market, self.fee_limits()) {
                Ok(fee) if self.may_sign(flight.account) => {
                    let intent = &flight.entry.intent;
                    tracing::info!(intent, request = flight.request(), nonce, ?fee, "replacing a stuck transaction");
                    signatures.extend(self.signature(*id, nonce, gas_limit, fee)?);
                }
                Ok(_) => {}
                Err(reached) => {
                    let (needed, cap) = (reached.needed, reached.cap);
                    let text = format!(
                        "a lower price of gas: a replacement needs {needed} wei, `max_fee_per_gas` is {cap} wei"
                    );
                    notes.push((*id, text));
                }
            }
        }
        for (id, _) in &notes {
            // It stays in flight as it is and is tried again after as many blocks as before.
            if let Some(flight) = self.book.get_mut(*id).filter(|flight| flight.sent_at.is_some()) {
                flight.sent_at = Some(head.number);
            }
        }
        let replaced: Vec<EntryId> = signatures.iter().map(|signature| signature.id).collect();
        self.commit(signatures, now_ms).await?;
        if !replaced.is_empty() {
            kill_point!("sender.replacement_committed");
        }
        self.hold(notes, head, now_ms).await?;
        Ok(replaced)
    }
}
