//! All instances of one chain pair together: who is found silent, what a tick changes, who is to be de-registered.
//!
//! Every instance tends the board now and then. What is due is done by whoever comes first: the store hands the board out
//! to one at a time, and what was done is not due any more.

use super::instance::{Instance, Status};
use super::machine::{Event, apply};
use super::params::Params;
use super::proposal::{Proposal, Vote, is_overdue, next_proposer, verdict};
use super::set::{Candidate, active_set};

/// An instance with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, unique.
    pub name: String,
    /// Its weight in the choice of the active set.
    pub weight: u64,
    /// Where it stands.
    pub instance: Instance,
}

/// What is known of all instances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Board {
    /// Every instance, deregistered ones included.
    pub members: Vec<Member>,
    /// Open proposals.
    pub proposals: Vec<Proposal>,
    /// How many proposals there were, open ones included.
    pub raised: u64,
    /// When the next tick is due, Unix milliseconds; at once when there was none.
    pub next_tick_ms: Option<i64>,
    /// When the next reward run is due; after one interval when there was none.
    pub next_reward_ms: Option<i64>,
}

/// A change of status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Whose.
    pub name: String,
    /// From.
    pub from: Status,
    /// To.
    pub to: Status,
    /// Why.
    pub reason: String,
}

/// A proposal that is not open any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// It.
    pub proposal: Proposal,
    /// How it ended.
    pub vote: Vote,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tended {
    /// The board afterwards.
    pub board: Board,
    /// Changes of status, in order.
    pub moved: Vec<Moved>,
    /// Proposals that ended.
    pub closed: Vec<Closed>,
    /// Whether a tick was among it.
    pub ticked: bool,
    /// What each instance had signed since the last reward run, if there was one now.
    pub rewarded: Option<Vec<(String, u64)>>,
}

/// Does what is due at this time. `me`: the instance that looks; proposals are raised and approved in its name alone.
#[must_use]
pub fn tend(board: &Board, me: &str, now_ms: i64, params: &Params) -> Tended {
    let mut tended = Tended { board: board.clone(), ..Tended::default() };
    let has_relief = board.members.iter().any(could_work);
    tended.each(|_| Event::Watch { has_relief }, now_ms, params);
    if is_due(board.next_tick_ms, params.maintenance_interval_ms, now_ms) || tended.is_idle() {
        tended.tick(now_ms, params);
    }
    tended.propose(me, now_ms, params);
    tended.decide(now_ms, params);
    tended.reward(now_ms, params);
    tended
}

/// Whether one works, or would from the next tick on. Of one that says that it can't, any such member is another one.
fn could_work(member: &Member) -> bool {
    member.instance.ready && (member.instance.status.may_sign() || member.instance.status == Status::Inactive)
}

/// A time further ahead than its interval was set by a clock that has gone back since.
fn is_due(due: Option<i64>, interval_ms: i64, now_ms: i64) -> bool {
    due.is_none_or(|due| due <= now_ms || due > now_ms.saturating_add(interval_ms))
}

impl Tended {
    /// Whether nobody works though somebody could: the tick has nothing to wait for. So an operator's only instance works
    /// as soon as it is ready.
    fn is_idle(&self) -> bool {
        let is_waiting = |member: &Member| member.instance.status == Status::Inactive && member.instance.ready;
        let works = |member: &Member| member.instance.status.may_sign();
        !self.board.members.iter().any(works) && self.board.members.iter().any(is_waiting)
    }

    /// The same kind of event for every member; one that is refused changes nothing.
    fn each(&mut self, event: impl Fn(&Member) -> Event, now_ms: i64, params: &Params) {
        for member in &mut self.board.members {
            let before = member.instance;
            let Ok(applied) = apply(&before, event(member), now_ms, params) else { continue };
            member.instance = applied.instance;
            if let Some(reason) = applied.reason {
                let (name, from, to) = (member.name.clone(), before.status, applied.instance.status);
                self.moved.push(Moved { name, from, to, reason });
            }
        }
    }

    fn tick(&mut self, now_ms: i64, params: &Params) {
        let candidate = |member: &Member| Candidate {
            name: member.name.clone(),
            weight: member.weight,
            status: member.instance.status,
            ready: member.instance.ready,
        };
        let candidates: Vec<Candidate> = self.board.members.iter().map(candidate).collect();
        let set = active_set(&candidates, params.maximum_active);
        self.each(|member| Event::Tick { in_active_set: set.contains(&member.name) }, now_ms, params);
        for proposal in &mut self.board.proposals {
            proposal.ticks = proposal.ticks.saturating_add(1);
        }
        // Missed ticks are not made up for: they would all see the same.
        self.board.next_tick_ms = Some(now_ms.saturating_add(params.maintenance_interval_ms));
        self.ticked = true;
    }

    fn active(&self) -> Vec<String> {
        let active = self.board.members.iter().filter(|member| member.instance.status.may_sign());
        active.map(|member| member.name.clone()).collect()
    }

    /// Raises what is `me`'s turn, one open proposal a target, and approves what others raised rightly.
    fn propose(&mut self, me: &str, now_ms: i64, params: &Params) {
        let active = self.active();
        if !active.iter().any(|name| name == me) {
            return;
        }
        let overdue: Vec<String> = self
            .board
            .members
            .iter()
            .filter(|member| member.name != me && is_overdue(&member.instance, now_ms, params))
            .map(|member| member.name.clone())
            .collect();
        for target in overdue {
            match self.board.proposals.iter_mut().find(|proposal| proposal.target == target) {
                Some(open) if open.proposer != me && !open.approvals.iter().any(|name| name == me) => {
                    open.approvals.push(me.to_owned());
                }
                Some(_) => {}
                None if next_proposer(&active, &target, self.board.raised).is_some_and(|name| name == me) => {
                    self.board.raised = self.board.raised.saturating_add(1);
                    let (proposer, approvals) = (me.to_owned(), Vec::new());
                    self.board.proposals.push(Proposal { target, proposer, created_ms: now_ms, ticks: 0, approvals });
                }
                None => {}
            }
        }
    }

    fn decide(&mut self, now_ms: i64, params: &Params) {
        let active = self.active();
        for proposal in std::mem::take(&mut self.board.proposals) {
            let target = self.board.members.iter().find(|member| member.name == proposal.target);
            let vote =
                target.map_or(Vote::Dropped, |target| verdict(&proposal, &target.instance, &active, now_ms, params));
            match vote {
                Vote::Pending => self.board.proposals.push(proposal),
                Vote::Approved => {
                    self.deregister(&proposal, now_ms, params);
                    self.closed.push(Closed { proposal, vote });
                }
                Vote::Dropped | Vote::Expired => self.closed.push(Closed { proposal, vote }),
            }
        }
    }

    fn deregister(&mut self, proposal: &Proposal, now_ms: i64, params: &Params) {
        let Some(member) = self.board.members.iter_mut().find(|member| member.name == proposal.target) else { return };
        let from = member.instance.status;
        let Ok(applied) = apply(&member.instance, Event::Deregister, now_ms, params) else { return };
        member.instance = applied.instance;
        let reason = format!("it was in maintenance for too long; proposed by {}", proposal.proposer);
        self.moved.push(Moved { name: proposal.target.clone(), from, to: applied.instance.status, reason });
    }

    fn reward(&mut self, now_ms: i64, params: &Params) {
        let next = now_ms.saturating_add(params.reward_interval_ms);
        if self.board.next_reward_ms.is_none() {
            self.board.next_reward_ms = Some(next);
        }
        if is_due(self.board.next_reward_ms, params.reward_interval_ms, now_ms) {
            let signed = |member: &Member| (member.name.clone(), member.instance.statistics.txs_signed);
            self.rewarded = Some(self.board.members.iter().map(signed).collect());
            self.each(|_| Event::Reward, now_ms, params);
            self.board.next_reward_ms = Some(next);
        }
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
