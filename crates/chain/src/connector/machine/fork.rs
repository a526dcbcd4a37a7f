//! Comparing the elected endpoint's blocks with the remembered ones, and finding where they part.
//!
//! | heights | hash at the lower one | then |
//! |---|---|---|
//! | endpoint higher | the same | read what is missing |
//! | equal | the same | in step |
//! | endpoint lower | the same | it lags: in step, nothing is undone |
//! | any | another | fork or rollback: find the common ancestor, undo, read again |

use super::{Alarm, AlarmKind, Connector, Effect, EndpointId, Mode, State};
use crate::scan::{AncestorSearch, Checkpoint, SearchStep};
use facilitator_eth::B256;

/// A question to the elected endpoint for one hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inquiry {
    endpoint: EndpointId,
    number: u64,
    goal: Goal,
    until: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Goal {
    /// Is the lower of both heads the same?
    Compare,
    /// Where do the branches part?
    Search(AncestorSearch),
    /// Is a refused fork still too deep?
    Probe,
}

impl Inquiry {
    pub(super) const fn until(&self) -> u64 {
        self.until
    }
}

impl Connector {
    pub(super) fn detect(&mut self, why: impl Into<String>, fx: &mut Vec<Effect>) {
        self.go(State::ForkDetect, why, fx);
        self.compare(fx);
    }

    /// Compares the elected endpoint with what is remembered, once no range is under way any more.
    pub(super) fn compare(&mut self, fx: &mut Vec<Effect>) {
        if !self.pending.is_empty() || self.deleting.is_some() || self.inquiry.is_some() {
            return;
        }
        let Some((_, head)) = self.client() else { return self.look_again(self.pause(), "nobody to read from", fx) };
        let Some(local) = self.local.head() else { return self.begin_fetch("nothing is remembered", fx) };
        if let Some(voted) = self.outvoted() {
            return self.compared(voted.number, voted.hash, fx);
        }
        let at = local.number.min(head.number);
        match self.known(at) {
            Some(hash) => self.compared(at, hash, fx),
            None => self.inquire(at, Goal::Compare, fx),
        }
    }

    /// The elected block, if it is not the remembered one of its height.
    fn outvoted(&self) -> Option<Checkpoint> {
        let elected = self.elected?;
        let voted = Checkpoint { number: self.voted_at, hash: elected.hash };
        self.local.contradicts(voted).then_some(voted)
    }

    fn client(&self) -> Option<(EndpointId, Checkpoint)> {
        let client = self.the_client()?;
        Some((client, self.head_of(client)?))
    }

    /// The elected endpoint's hash at a height, as far as it is known without asking.
    fn known(&self, at: u64) -> Option<B256> {
        let (_, head) = self.client()?;
        if head.number == at {
            return Some(head.hash);
        }
        if head.number > at && self.local.has(head) {
            return self.local.hash(at);
        }
        self.elected.filter(|_| self.voted_at == at).map(|elected| elected.hash)
    }

    fn compared(&mut self, at: u64, hash: B256, fx: &mut Vec<Effect>) {
        let (Some((client, head)), Some(local)) = (self.client(), self.local.head()) else {
            return self.look_again(self.pause(), "nobody to read from", fx);
        };
        if self.local.contradicts(Checkpoint { number: at, hash }) {
            self.set_mode(Mode::Resynchronise, fx);
            let known = self.local.within(self.settings.fork_protection);
            return self.search(AncestorSearch::new(known, self.settings.fork_protection), fx);
        }
        let behind = self.target(head).saturating_sub(local.number);
        // While blocks were read the chain went on: that is followed from the next state.
        let borne = if self.fetched { self.settings.behind_limit } else { 1 };
        if behind >= borne {
            if behind > self.settings.blocks_per_fetch {
                self.set_mode(Mode::Resynchronise, fx);
            }
            return self.begin_fetch(format!("{client} is {behind} blocks ahead"), fx);
        }
        if !self.settled {
            return self.look_again(self.settings.cycle_interval_ms, "the endpoints draw", fx);
        }
        let why = if head.number < local.number { "the endpoint lags" } else { "in step" };
        self.go(State::Rebuild, why, fx);
        if self.opened { self.work(fx) } else { fx.push(Effect::Ready) }
    }

    fn search(&mut self, mut search: AncestorSearch, fx: &mut Vec<Effect>) {
        loop {
            match search.step() {
                SearchStep::Ask(number) => {
                    // What the vote has told apart stays apart, whatever one endpoint says of the blocks above.
                    let apart = self.outvoted().is_some_and(|voted| number >= voted.number);
                    if apart || self.client().is_none_or(|(_, head)| number > head.number) {
                        search.answer(None);
                    } else if let Some(hash) = self.known(number) {
                        search.answer(Some(hash));
                    } else {
                        return self.inquire(number, Goal::Search(search), fx);
                    }
                }
                SearchStep::Found(ancestor) => return self.found(ancestor, fx),
                SearchStep::TooDeep { ancestor: None, .. } => return self.beyond_memory(fx),
                SearchStep::TooDeep { .. } => return self.refuse(fx),
            }
        }
    }

    fn found(&mut self, ancestor: Checkpoint, fx: &mut Vec<Effect>) {
        let Some(local) = self.local.head() else { return };
        if ancestor == local {
            return self.look_again(self.pause(), "the endpoint contradicts itself", fx);
        }
        let undo_events = self.released.is_some_and(|released| released > ancestor.number);
        let backed = self.settled && self.outvoted().is_some_and(|voted| voted.number > ancestor.number);
        if undo_events && !backed {
            let why = format!("one endpoint alone has another branch from block {} on", ancestor.number);
            return self.look_again(self.settings.cycle_interval_ms, why, fx);
        }
        self.deleting = Some(ancestor);
        fx.push(Effect::DeleteAbove { to: ancestor, undo_events });
    }

    /// A fork whose ancestor is not remembered. Where all blocks from the first that matters are, and they are few, all of
    /// them are read again.
    fn beyond_memory(&mut self, fx: &mut Vec<Effect>) {
        let (Some(head), Some(first)) = (self.local.head(), self.local.first()) else { return self.refuse(fx) };
        let depth = head.number.saturating_sub(self.settings.start_block).saturating_add(1);
        let from_the_start = first.number <= self.settings.start_block && depth < self.settings.fork_protection;
        let Some(below) = self.settings.start_block.checked_sub(1).filter(|_| from_the_start) else {
            return self.refuse(fx);
        };
        let backed = self.settled && self.outvoted().is_some_and(|voted| voted.number >= first.number);
        if self.released.is_some() && !backed {
            let why = "one endpoint alone has another branch from the first block on";
            return self.look_again(self.settings.cycle_interval_ms, why, fx);
        }
        self.deleting = Some(Checkpoint { number: below, hash: B256::ZERO });
        fx.push(Effect::DeleteAll { below });
    }

    fn refuse(&mut self, fx: &mut Vec<Effect>) {
        let (Some(local), Some(elected)) = (self.local.head(), self.elected) else { return };
        let lowest = self.local.within(self.settings.fork_protection).first().map_or(local.number, |b| b.number);
        let depth = local.number.saturating_sub(lowest).saturating_add(1);
        self.refused = true;
        self.settled = false;
        self.set_mode(Mode::Resynchronise, fx);
        self.alarm(Alarm::ForkProtection { local, depth, endpoint: elected.endpoint }, fx);
        self.look_again(self.settings.cycle_interval_ms, "fork protection: nothing was deleted", fx);
    }

    /// A round while a fork is refused: one question tells whether it is still too deep.
    pub(super) fn refused_still(&mut self, fx: &mut Vec<Effect>) {
        let settled = std::mem::replace(&mut self.settled, false);
        let (Some(elected), Some((_, head))) = (self.elected, self.client()) else { return };
        let voted = Checkpoint { number: self.voted_at, hash: elected.hash };
        if settled && self.local.has(voted) && !self.local.contradicts(head) {
            self.settled = true;
            return self.come_back(fx);
        }
        let bottom = self.local.within(self.settings.fork_protection).first().copied();
        if let Some(bottom) = bottom.filter(|bottom| settled && bottom.number <= head.number) {
            match self.known(bottom.number) {
                Some(hash) => self.probed(bottom.number, hash, fx),
                None => self.inquire(bottom.number, Goal::Probe, fx),
            }
        }
    }

    fn probed(&mut self, number: u64, hash: B256, fx: &mut Vec<Effect>) {
        if self.local.has(Checkpoint { number, hash }) {
            // Only a settled round asks.
            self.settled = true;
            self.come_back(fx);
        }
    }

    fn come_back(&mut self, fx: &mut Vec<Effect>) {
        self.refused = false;
        self.alarm_over(AlarmKind::ForkProtection, fx);
        self.detect("the remembered chain is back within reach", fx);
    }

    fn inquire(&mut self, number: u64, goal: Goal, fx: &mut Vec<Effect>) {
        let Some(endpoint) = self.the_client() else {
            return self.look_again(self.pause(), "nobody to read from", fx);
        };
        let until = self.now.saturating_add(self.settings.answer_timeout_ms);
        self.inquiry = Some(Inquiry { endpoint, number, goal, until });
        self.ask_hash(endpoint, number, fx);
    }

    pub(super) fn heard_hash(&mut self, endpoint: EndpointId, number: u64, hash: Option<B256>, fx: &mut Vec<Effect>) {
        let asked = self.inquiry.take_if(|inquiry| (inquiry.endpoint, inquiry.number) == (endpoint, number));
        let Some(inquiry) = asked else { return self.heard_vote(endpoint, number, hash, fx) };
        let Some(hash) = hash else {
            return match inquiry.goal {
                Goal::Probe => {}
                Goal::Compare | Goal::Search(_) => {
                    self.look_again(self.pause(), format!("{endpoint} does not have block {number}"), fx);
                }
            };
        };
        match inquiry.goal {
            Goal::Compare => self.compared(number, hash, fx),
            Goal::Search(mut search) => {
                search.answer(Some(hash));
                self.search(search, fx);
            }
            Goal::Probe => self.probed(number, hash, fx),
        }
    }

    pub(super) fn inquiry_failed(&mut self, endpoint: EndpointId, why: &str, fx: &mut Vec<Effect>) {
        let Some(inquiry) = self.inquiry.take_if(|inquiry| inquiry.endpoint == endpoint) else { return };
        match inquiry.goal {
            Goal::Probe => {}
            Goal::Compare | Goal::Search(_) => self.look_again(self.pause(), why, fx),
        }
    }

    pub(super) fn inquiry_late(&mut self, fx: &mut Vec<Effect>) {
        if let Some(endpoint) = self.inquiry.as_ref().filter(|i| self.now >= i.until).map(|i| i.endpoint) {
            self.inquiry_failed(endpoint, "a hash did not come in time", fx);
        }
    }

    pub(super) fn deleted(&mut self, to: Checkpoint, fx: &mut Vec<Effect>) {
        self.local.delete_above(to.number);
        self.released = self.released.map(|released| released.min(to.number));
        if self.deleting.take().is_some() {
            self.fetched = false;
            let why = format!("common block {}", to.number);
            match self.client() {
                Some((_, head)) if head.number > to.number => self.begin_fetch(why, fx),
                Some(_) | None => self.look_again(0, why, fx),
            }
        }
    }

    pub(super) fn delete_failed(&mut self, fx: &mut Vec<Effect>) {
        if self.deleting.take().is_some() {
            self.look_again(self.pause(), "blocks could not be deleted", fx);
        }
    }
}
