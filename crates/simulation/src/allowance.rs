//! Law 10 measured: what is approved, and what is left of it.

use crate::chain::{Chain, Tx};
use crate::contracts::{function, words};
use crate::disk::Disk;
use crate::names::Pair;
use crate::truth::{Found, Truth, found};
use facilitator_eth::{Address, U256};
use facilitator_protocol::model::{Side, Step};
use facilitator_store::journal::{Entry, EntryState};

/// Law 10 for an approval that is signed for the first time: it is at most what the accepts of its account need that wait
/// for it. Later signatures of the same nonce change its fee alone (law 2: never other bytes), even if the need is gone by
/// then; what it leaves behind is measured by [`left_over`].
pub(crate) fn allowed(side: Side, tx: &Tx, disk: &Disk) -> Found {
    if function(&tx.data) != "approve" {
        return None;
    }
    let mut words = words(&tx.data);
    let amount = words.address().and_then(|_| words.uint()).unwrap_or(U256::ZERO);
    let waiting = accepts(side, tx.from, disk).filter(|entry| entry.state == EntryState::Queued);
    let needs = needs(waiting);
    if amount <= needs {
        return None;
    }
    found("the allowance is the need", format!("{} approves {amount}, the accepts that wait need {needs}", tx.intent))
}

fn accepts(side: Side, account: Address, disk: &Disk) -> impl Iterator<Item = &Entry> {
    let entries = disk.journals[side].entries.values();
    entries.filter(move |entry| entry.step == Step::Accept && entry.account == Some(account))
}

fn needs<'a>(accepts: impl Iterator<Item = &'a Entry>) -> U256 {
    accepts.filter_map(|entry| entry.allowance).fold(U256::ZERO, |sum, one| sum.saturating_add(one.amount))
}

/// Law 10 when all has ended: an allowance is left only by accepts that failed, no more of it than they needed, and by
/// accepts that took less because the bounty fell after they were signed (protocol.md R14). Nobody but an accept of the
/// same worker can take it (R12), and the next one uses it up before more is approved.
pub(crate) fn left_over(truth: &Truth, chains: &Pair<Chain>, disk: &Disk) -> Found {
    let state = chains.origin.state();
    let taken = |entry: &Entry| {
        let row = entry.request_id.and_then(|id| disk.requests.get(&id));
        let message = row.and_then(|row| row.request.message_hash).and_then(|hash| state.outbox.get(&hash));
        let bounty = message.filter(|_| entry.state != EntryState::Failed).map_or(0, |message| message.bounty);
        U256::from(bounty)
    };
    for ((_, owner, spender), left) in state.allowances.iter().filter(|_| !truth.lost) {
        let spared = accepts(Side::Origin, *owner, disk).filter_map(|entry| {
            let needed = entry.allowance?.amount;
            Some(needed.saturating_sub(taken(entry)))
        });
        let spared = spared.fold(U256::ZERO, U256::saturating_add);
        if *left > spared {
            let text = format!("{owner} leaves {left} to {spender}, its accepts spared {spared}");
            return found("the allowance is the need", text);
        }
    }
    None
}
