//! Proposals to de-register an instance that is in maintenance for too long (H8).
//!
//! One instance raises it, the others approve. Nobody proposes or approves about itself.

use super::instance::{Instance, Status, since};
use super::params::Params;

/// An open proposal to de-register `target`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The instance that is to go.
    pub target: String,
    /// The instance that raised it.
    pub proposer: String,
    /// When, Unix milliseconds. A maintenance that began later is another one.
    pub created_ms: i64,
    /// Ticks since then.
    pub ticks: u32,
    /// Who approves; the proposer does by raising it.
    pub approvals: Vec<String>,
}

/// What becomes of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// More than two thirds of the active instances approve: it is carried out.
    Approved,
    /// Too few approve yet.
    Pending,
    /// The target works again, or is gone: nothing is left to decide.
    Dropped,
    /// It found no majority in time.
    Expired,
}

/// Whether an instance is in maintenance for so long that it is to be de-registered; exactly the time counts (H8, H9).
#[must_use]
pub fn is_overdue(instance: &Instance, now_ms: i64, params: &Params) -> bool {
    let down = instance.statistics.last_down_ms;
    instance.status == Status::InMaintenance
        && down.is_some_and(|down| since(down, now_ms) >= params.deregister_time_ms)
}

/// Who raises the next proposal about `target`: the active instances take turns by the number of proposals there were.
/// `None` if nobody but the target is active.
#[must_use]
pub fn next_proposer<'a>(active: &'a [String], target: &str, proposals_so_far: u64) -> Option<&'a String> {
    let mut others: Vec<&String> = active.iter().filter(|name| name.as_str() != target).collect();
    others.sort();
    let count = u64::try_from(others.len()).unwrap_or(u64::MAX);
    let turn = proposals_so_far.checked_rem(count)?;
    usize::try_from(turn).ok().and_then(|turn| others.get(turn).copied())
}

/// Counts. `active`: the names of all active instances; `target` as it is now. A single other active instance is enough
/// when it is the only one; nobody at all leaves it pending, since nobody could approve.
#[must_use]
pub fn verdict(proposal: &Proposal, target: &Instance, active: &[String], now_ms: i64, params: &Params) -> Vote {
    let same_maintenance = target.statistics.last_down_ms.is_some_and(|down| down <= proposal.created_ms);
    if !same_maintenance || !is_overdue(target, now_ms, params) {
        return Vote::Dropped;
    }
    let voters = active.iter().filter(|name| **name != proposal.target);
    let (mut all, mut approve) = (0_usize, 0_usize);
    for name in voters {
        all = all.saturating_add(1);
        if proposal.approvals.contains(name) || proposal.proposer == *name {
            approve = approve.saturating_add(1);
        }
    }
    if all > 0 && approve.saturating_mul(3) > all.saturating_mul(2) {
        return Vote::Approved;
    }
    if all > 0 && proposal.ticks >= params.proposal_ticks { Vote::Expired } else { Vote::Pending }
}

#[cfg(test)]
#[path = "proposal_tests.rs"]
mod tests;
