//! Choosing nonce and fee, signing, and committing the signatures before anything else happens to them.

use super::{Progress, Sender, end::Ending, observe::call_data, prepare::Ready};
use crate::{
    SenderError,
    book::Flight,
    keep::Keep,
    node::Ask,
    policy::{
        crowd::{self, Queue},
        fee,
        funds::{self, Funds},
        nonce,
    },
    types::{Failure, Head},
};
use facilitator_eth::{
    Address, U256,
    tx::{self, Fee, Transaction},
};
use facilitator_kill::kill_point;
use facilitator_protocol::model::Step;
use facilitator_protocol::transfer::needed_to_accept;
use facilitator_store::StoreError;
use facilitator_store::journal::{Attempt, EntryId, EntryState, Signature};
use std::collections::{BTreeMap, BTreeSet};

/// What an account has already given away within one round.
struct Ledger {
    count: u64,
    taken: BTreeSet<u64>,
    /// Highest nonce that was final: a chain that has less lost something, which comes first.
    highest_final: Option<u64>,
    balance: U256,
    reserved: U256,
    /// What is in flight.
    queue: Queue,
    /// Wei that those cost by their own limits which are still to be signed in this round.
    to_come: U256,
    /// Accepts that are signed and not final: each leaves more to be paid.
    accepts: u64,
}

/// What became of one candidate.
enum Signing {
    Signed(Signature),
    Refused(Ending),
    /// Later: something isn't known, or others in flight hold the funds.
    Later,
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// Signs what is ready, oldest first, with one commit for all.
    ///
    /// Dying after the commit leaves entries that the next sender broadcasts as they are; dying before it leaves them
    /// queued and the signatures forgotten, with the nonces free.
    pub(super) async fn sign(&mut self, head: Head, ready: Vec<Ready>, now_ms: i64) -> Result<Progress, SenderError> {
        let Some(market) = self.market(head) else { return Ok(Progress::Idle) };
        let fee = match fee::first(market, self.fee_limits()) {
            Ok(fee) => fee,
            Err(reached) => {
                let failure = Failure::FeeCap { needed: reached.needed, cap: reached.cap };
                let endings: Vec<Ending> =
                    ready.iter().map(|ready| Ending::unmined(ready.id, failure.clone())).collect();
                let progress = if endings.is_empty() { Progress::Idle } else { Progress::Made };
                self.fail(endings, now_ms).await?;
                return Ok(progress);
            }
        };
        let mut ledgers: BTreeMap<Address, Ledger> =
            self.accounts.keys().filter_map(|account| Some((*account, self.ledger(*account)?))).collect();
        for Ready { id, gas_limit, .. } in &ready {
            let Some(flight) = self.book.get(*id) else { continue };
            let Some(ledger) = ledgers.get_mut(&flight.account) else { continue };
            ledger.to_come = ledger.to_come.saturating_add(cost_of(flight, *gas_limit, fee));
        }
        let (mut signatures, mut endings) = (Vec::new(), Vec::new());
        let mut signed = BTreeSet::new();
        for Ready { id, gas_limit, behind } in ready {
            // Each gets a higher nonce than those before it.
            let comes_first =
                |id: &EntryId| signed.contains(id) || self.book.get(*id).is_some_and(Flight::is_in_flight);
            if !behind.iter().all(comes_first) {
                continue;
            }
            match self.sign_first(id, gas_limit, fee, &mut ledgers)? {
                Signing::Signed(signature) => {
                    signed.insert(id);
                    signatures.push(signature);
                }
                Signing::Refused(ending) => endings.push(ending),
                Signing::Later => {}
            }
        }
        let made = !signatures.is_empty() || !endings.is_empty();
        self.commit(signatures, now_ms).await?;
        self.fail(endings, now_ms).await?;
        Ok(if made { Progress::Made } else { Progress::Idle })
    }

    fn ledger(&self, account: Address) -> Option<Ledger> {
        let count = self.survey.count(account)?;
        // Those below the count are paid for in the balance at this head.
        let (mut reserved, mut queue) = (U256::ZERO, Queue::default());
        for flight in self.book.in_flight(account) {
            let Some((_, gas_limit, fee)) = flight.signed().filter(|(nonce, ..)| *nonce >= count) else { continue };
            reserved = reserved.saturating_add(funds::cost(gas_limit, fee::price(fee), flight.entry.value));
            queue = queue.with(gas_limit);
        }
        let (taken, balance) = (self.book.nonces(account), self.survey.balance(account)?);
        let highest_final = self.accounts.get(&account)?.highest_final;
        let accepts = self.book.of(account).filter(|f| f.entry.step == Step::Accept && !f.is_queued()).count();
        let accepts = u64::try_from(accepts).unwrap_or(u64::MAX);
        Some(Ledger { count, taken, highest_final, balance, reserved, queue, to_come: U256::ZERO, accepts })
    }

    fn sign_first(
        &self,
        id: EntryId,
        gas_limit: u64,
        fee: Fee,
        ledgers: &mut BTreeMap<Address, Ledger>,
    ) -> Result<Signing, SenderError> {
        let Some(flight) = self.book.get(id) else { return Ok(Signing::Later) };
        let account = flight.account;
        let Some(ledger) = ledgers.get_mut(&account) else { return Ok(Signing::Later) };
        if let Some(nonce) = flight.fixed_nonce.filter(|nonce| *nonce < ledger.count) {
            return Ok(Signing::Refused(Ending::unmined(id, Failure::Superseded { account, nonce })));
        }
        let is_accept = flight.entry.step == Step::Accept;
        let accepts = ledger.accepts.saturating_add(u64::from(is_accept));
        let needed_for = |gas_limit| {
            let cost = cost_of(flight, gas_limit, fee);
            if is_accept { self.needed_to_accept(cost, accepts, fee) } else { cost }
        };
        ledger.to_come = ledger.to_come.saturating_sub(cost_of(flight, gas_limit, fee));
        // One that fills a gap has nobody before it.
        let wide = if flight.fixed_nonce.is_none() { ledger.queue.limit(gas_limit) } else { gas_limit };
        let committed = ledger.reserved.saturating_add(ledger.to_come);
        let gas_limit = if crowd::is_ample(ledger.balance, committed, needed_for(wide)) { wide } else { gas_limit };
        let needed = needed_for(gas_limit);
        match funds::check(ledger.balance, ledger.reserved, needed) {
            Funds::Enough => {}
            Funds::Later => return Ok(Signing::Later),
            Funds::Short => {
                let failure = Failure::InsufficientFunds { account, needed, has: ledger.balance };
                return Ok(Signing::Refused(Ending::unmined(id, failure)));
            }
        }
        let nonce = flight.fixed_nonce.unwrap_or_else(|| nonce::next(ledger.count, &ledger.taken));
        if flight.fixed_nonce.is_none() && ledger.highest_final.is_some_and(|highest| highest >= nonce) {
            return Ok(Signing::Later);
        }
        let Some(signature) = self.signature(id, nonce, gas_limit, fee)? else { return Ok(Signing::Later) };
        ledger.taken.insert(nonce);
        ledger.reserved = ledger.reserved.saturating_add(cost_of(flight, gas_limit, fee));
        ledger.queue = ledger.queue.with(gas_limit);
        ledger.accepts = accepts;
        Ok(Signing::Signed(signature))
    }

    /// Wei for an accept of this cost, the last of so many: whoever accepts has to finish (protocol.md R22). Those who
    /// asked for them at the same time did not see each other, and a bounty in coin comes out of the same purse as the gas.
    fn needed_to_accept(&self, cost: U256, accepts: u64, fee: Fee) -> U256 {
        let gas = self.settings.gas_after_accept.saturating_mul(accepts);
        let rest = funds::cost(gas, fee::price(fee), U256::ZERO);
        needed_to_accept(cost, rest, self.settings.min_balance)
    }

    /// Signs one attempt in memory; `None` if the entry or its call data is gone.
    pub(super) fn signature(
        &self,
        id: EntryId,
        nonce: u64,
        gas_limit: u64,
        fee: Fee,
    ) -> Result<Option<Signature>, SenderError> {
        let Some(flight) = self.book.get(id) else { return Ok(None) };
        let (Some(data), Some(account)) = (call_data(flight), self.accounts.get(&flight.account)) else {
            return Ok(None);
        };
        let (chain_id, to, value) = (self.settings.chain_id, flight.entry.to, flight.entry.value);
        let transaction = Transaction { chain_id, nonce, to, value, data, gas_limit, fee };
        let account_of = flight.account;
        let Some(key) = &account.key else { return Ok(None) };
        let signed = tx::sign(&transaction, key).map_err(|source| SenderError::Sign {
            account: account_of,
            chain_id,
            source,
        })?;
        let (hash, raw) = (signed.hash, signed.raw);
        Ok(Some(Signature { id, account: account_of, nonce, hash, raw, gas_limit, fee }))
    }

    /// Commits signatures under the leases of their accounts; only then are they known to the rest of the sender. Intents
    /// whose request another instance works on by now end, and nothing is signed in this round: the others are signed
    /// anew, with nonces that leave no gap.
    pub(super) async fn commit(&mut self, signatures: Vec<Signature>, now_ms: i64) -> Result<(), SenderError> {
        if signatures.is_empty() {
            return Ok(());
        }
        kill_point!("sender.signed");
        match self.journal.sign(&self.leases(), &signatures, now_ms).await {
            Err(StoreError::ClaimLost { entries, .. }) => {
                let lost = entries.into_iter().map(|id| Ending::unmined(id, Failure::TakenOver));
                return self.fail(lost.collect(), now_ms).await;
            }
            signed => signed?,
        }
        kill_point!("sender.signatures_committed");
        for signature in signatures {
            let Some(flight) = self.book.get_mut(signature.id) else { continue };
            let number = flight.newest().map_or(1, |attempt| attempt.number.saturating_add(1));
            let Signature { account, nonce, hash, raw, gas_limit, fee, .. } = signature;
            flight.entry.state = EntryState::Signed;
            flight.entry.account = Some(account);
            flight.entry.nonce = Some(nonce);
            flight.entry.waiting_for = None;
            flight.sent_at = None;
            flight.refused_at = None;
            flight.entry.attempts.push(Attempt {
                number,
                hash,
                raw,
                gas_limit,
                fee,
                signed_at_ms: now_ms,
                broadcast_at_ms: None,
                broadcast_block: None,
            });
        }
        Ok(())
    }
}

/// The most that a transaction costs with this limit of gas, wei.
fn cost_of(flight: &Flight, gas_limit: u64, fee: Fee) -> U256 {
    funds::cost(gas_limit, fee::price(fee), flight.entry.value)
}
