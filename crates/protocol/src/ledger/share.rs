//! Who bears what a transaction cost.
//!
//! A transaction is borne by the requests that asked for it: a gateway proof by all that waited for that height. An
//! approval is borne by the accepts that it was made for: those of its account that take from the same allowance, after
//! it and before the next one. Each bears the same; what can't be divided is borne by the first, one smallest unit each,
//! so that the parts are the whole, to the wei. What nobody asked for is borne by nobody.

use super::{Paid, Party};
use crate::model::Step;
use facilitator_eth::{Address, U256};
use std::collections::{BTreeMap, HashMap};

/// Equal parts of an amount, the first of them greater by one unit where it can't be divided.
#[must_use]
pub fn split(amount: U256, parts: usize) -> Vec<U256> {
    let count = U256::from(u64::try_from(parts).unwrap_or(u64::MAX));
    let Some(each) = amount.checked_div(count) else { return Vec::new() };
    let rest = amount.saturating_sub(each.saturating_mul(count)).to_u64().unwrap_or(0);
    (0_u64..)
        .zip(std::iter::repeat_n(each, parts))
        .map(|(at, each)| if at < rest { each.saturating_add(U256::ONE) } else { each })
        .collect()
}

/// One journal row for each account and nonce: a nonce is mined once. An older row with the same nonce was mined in a
/// block that a reorg deeper than the confirmations has removed.
pub(super) fn without_replaced(paid: &[Paid]) -> Vec<&Paid> {
    let mut newest: HashMap<(u64, Address, u64), &Paid> = HashMap::with_capacity(paid.len());
    for one in paid {
        let known = newest.entry((one.chain_id, one.account, one.nonce)).or_insert(one);
        if known.id < one.id {
            *known = one;
        }
    }
    let mut kept: Vec<&Paid> = newest.into_values().collect();
    kept.sort_unstable_by_key(|one| one.id);
    kept
}

/// An allowance of an account on a chain: token and spender.
type Flow = (u64, Address, (Address, Address));

/// Who bears each approval, by row number.
pub(super) fn approvals(paid: &[&Paid]) -> HashMap<i64, Vec<Party>> {
    // For each account and allowance its approvals and accepts, in the order in which they take effect.
    let mut flows: BTreeMap<Flow, Vec<&Paid>> = BTreeMap::new();
    for one in paid {
        if let Some(allowance) = one.allowance {
            flows.entry((one.chain_id, one.account, allowance)).or_default().push(one);
        }
    }
    let mut bearers: HashMap<i64, Vec<Party>> = HashMap::new();
    for flow in flows.values_mut() {
        flow.sort_unstable_by_key(|one| one.nonce);
        let mut approval = None;
        for one in flow {
            if one.step == Step::Approve {
                approval = Some(one.id);
            } else if let Some(approval) = approval {
                bearers.entry(approval).or_default().extend(&one.parties);
            }
        }
    }
    for parties in bearers.values_mut() {
        parties.sort_unstable_by_key(|party| party.request);
        parties.dedup();
    }
    bearers
}
