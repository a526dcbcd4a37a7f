//! From facts to lines.

use super::{
    Asset, Reason,
    facts::{Assets, BountyChange, Effect, Happening, Paid, Party, Place},
    share,
};
use crate::model::{RequestId, Step};
use facilitator_eth::{Address, B256, U256};
use std::collections::HashMap;

/// An amount that moved, in one transaction, for one request or for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The request; `None` if it belongs to none.
    pub request: Option<RequestId>,
    /// The gateway pair, named by its EIP20Gateway; `None` if it can't be told.
    pub gateway: Option<Address>,
    /// Why it moved.
    pub reason: Reason,
    /// What it is of.
    pub asset: Asset,
    /// How much, smallest units.
    pub amount: U256,
    /// What the transaction was for.
    pub step: Step,
    /// The transaction.
    pub tx_hash: B256,
    /// Who paid or was paid.
    pub account: Address,
    /// Among how many requests the transaction's cost is shared; 1 for all but gas.
    pub shared_by: usize,
    /// When the transaction was journalled, Unix milliseconds.
    pub at_ms: i64,
}

/// All that is known of what was earned and spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// In the order of the journal.
    pub lines: Vec<Line>,
    /// Messages whose bounty or reward went to somebody else, each with the transaction that took it.
    pub taken: Vec<(Reason, B256, B256)>,
    /// Messages of which an amount can't be told: of a gateway whose tokens were never read, or declared before this
    /// database knew the gateway's bounty.
    pub unknown: Vec<B256>,
}

/// Makes the ledger. `effects` may hold those of other people's transactions; they are told apart.
#[must_use]
pub fn build(paid: &[Paid], effects: &[Effect], changes: &[BountyChange], assets: &[Assets]) -> Ledger {
    let paid = share::without_replaced(paid);
    let approvals = share::approvals(&paid);
    let mut by_transaction: HashMap<i64, Vec<&Effect>> = HashMap::new();
    for effect in effects {
        if let Some(id) = effect.paid_by {
            by_transaction.entry(id).or_default().push(effect);
        }
    }
    let mut builder = Builder { changes, assets, ledger: Ledger::default() };
    for one in paid {
        let bearers = match one.step {
            Step::Approve => approvals.get(&one.id).map_or(&[][..], Vec::as_slice),
            Step::Accept
            | Step::ProveGateway
            | Step::Confirm
            | Step::ProgressSource
            | Step::ProgressTarget
            | Step::Cancel => &one.parties,
        };
        builder.gas(one, bearers);
        for effect in by_transaction.get(&one.id).into_iter().flatten() {
            builder.effect(one, effect);
        }
    }
    builder.strangers(effects);
    builder.ledger
}

struct Builder<'a> {
    changes: &'a [BountyChange],
    assets: &'a [Assets],
    ledger: Ledger,
}

impl Builder<'_> {
    fn gas(&mut self, one: &Paid, bearers: &[Party]) {
        let asset = Asset::Coin { chain_id: one.chain_id };
        if bearers.is_empty() {
            let contract = one.allowance.map_or(one.to, |(_, spender)| spender);
            let gateway = self.only_pair_of(one.chain_id, contract);
            self.ledger.lines.push(line(one, None, gateway, Reason::Gas, asset, one.cost, 1));
            return;
        }
        for (party, part) in bearers.iter().zip(share::split(one.cost, bearers.len())) {
            let gateway = self.pair_of(party.gateway);
            self.ledger.lines.push(line(one, Some(party.request), gateway, Reason::Gas, asset, part, bearers.len()));
        }
    }

    fn effect(&mut self, one: &Paid, effect: &Effect) {
        let pair = self.assets.iter().find_map(|pair| Some((pair, pair.side_of(effect.chain_id, effect.box_address)?)));
        let moved = match effect.happening {
            Happening::Declared => {
                pair.map(|(pair, side)| (Reason::BountyOut, pair.bounty(side))).zip(self.bounty(effect))
            }
            Happening::BountyPaid => {
                pair.map(|(pair, side)| (Reason::BountyBack, pair.bounty(side))).zip(self.bounty(effect))
            }
            Happening::RewardPaid(reward) => {
                pair.map(|(pair, side)| (Reason::Reward, pair.reward(side))).zip(Some(reward))
            }
        };
        let Some(((reason, asset), amount)) = moved else {
            self.ledger.unknown.push(effect.message_hash);
            return;
        };
        if amount.is_zero() {
            return;
        }
        // The same request made twice gives the same message: it is whose that asked for the transaction.
        let request = match one.parties.as_slice() {
            [only] => Some(only.request),
            several => effect.request.map(|(party, _)| party.request).or(several.first().map(|party| party.request)),
        };
        let gateway = pair.map(|(pair, _)| pair.gateway);
        self.ledger.lines.push(line(one, request, gateway, reason, asset, amount, 1));
    }

    /// The bounty that stood when the message was declared: what the gateway locked then, and what it pays back.
    fn bounty(&self, effect: &Effect) -> Option<U256> {
        let noted = effect.request.and_then(|(_, bounty)| bounty);
        let of_box = || {
            self.changes
                .iter()
                .filter(|change| change.chain_id == effect.chain_id && change.box_address == effect.box_address)
        };
        let Some(declared) = effect.declared else { return noted };
        let at = |change: &&BountyChange| -> Place { change.at };
        let last_before = of_box().filter(|change| change.at < declared).max_by_key(at);
        let first_after = || of_box().filter(|change| change.at > declared).min_by_key(at);
        last_before.map(|change| change.after).or_else(|| first_after().map(|change| change.before)).or(noted)
    }

    /// What other people earned with messages that are asked about.
    fn strangers(&mut self, effects: &[Effect]) {
        for effect in effects.iter().filter(|effect| effect.paid_by.is_none()) {
            let reason = match effect.happening {
                Happening::Declared => continue,
                Happening::BountyPaid => Reason::BountyBack,
                Happening::RewardPaid(_) => Reason::Reward,
            };
            self.ledger.taken.push((reason, effect.message_hash, effect.tx_hash));
        }
    }

    /// The pair of the gateway or cogateway that a request names.
    fn pair_of(&self, named: Address) -> Option<Address> {
        let pair = self.assets.iter().find(|pair| pair.gateway == named || pair.cogateway == named);
        pair.map(|pair| pair.gateway)
    }

    /// The pair that a contract belongs to, unless several share it.
    fn only_pair_of(&self, chain_id: u64, contract: Address) -> Option<Address> {
        let mut pairs = self.assets.iter().filter(|pair| pair.has(chain_id, contract));
        let first = pairs.next()?;
        pairs.next().is_none().then_some(first.gateway)
    }
}

fn line(
    one: &Paid,
    request: Option<RequestId>,
    gateway: Option<Address>,
    reason: Reason,
    asset: Asset,
    amount: U256,
    shared_by: usize,
) -> Line {
    let Paid { step, hash: tx_hash, account, at_ms, .. } = *one;
    Line { request, gateway, reason, asset, amount, step, tx_hash, account, shared_by, at_ms }
}
