//! Rounds: all endpoints are asked for their heads, and for the hash at one height where the heads don't tell it; then
//! one is elected and the present state decides what that means.

use super::{Alarm, AlarmKind, Connector, Effect, EndpointId, Mode, State};
use crate::{
    connector::{
        election::{Elected, Vote, elect, reached_by},
        endpoints::Endpoint,
        health::Health,
    },
    scan::Checkpoint,
};
use facilitator_eth::B256;
use std::collections::BTreeSet;

/// A round under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Round {
    /// The height that is voted on; `None` while heads are awaited.
    vote: Option<u64>,
    awaited: BTreeSet<EndpointId>,
    since: u64,
    until: u64,
}

impl Round {
    pub(super) const fn until(&self) -> u64 {
        self.until
    }
}

impl Connector {
    pub(super) fn may_begin_round(&self) -> bool {
        match self.state {
            State::Connecting | State::HighestBlock | State::Rebuild | State::Sampling => self.inquiry.is_none(),
            State::ForkDetect | State::FetchBlocks => false,
        }
    }

    pub(super) fn begin_round(&mut self, fx: &mut Vec<Effect>) {
        let until = self.now.saturating_add(self.settings.answer_timeout_ms);
        self.next_cycle = self.now.saturating_add(self.settings.cycle_interval_ms);
        self.next_poll = self.now.saturating_add(self.settings.poll_interval_ms);
        let asked: Vec<(EndpointId, bool)> = self
            .book
            .iter()
            .filter(|(id, _)| self.book.may_ask(*id, self.now))
            // One that is set aside is probed, but nobody waits for it.
            .map(|(id, endpoint)| (id, !matches!(endpoint.health, Health::SetAside { .. })))
            .collect();
        for (id, _) in &asked {
            self.ask_head(*id, fx);
        }
        // Before anything is known, who comes back from a pause is worth waiting for.
        let connecting = self.state == State::Connecting;
        let awaited = asked.into_iter().filter(|(_, well)| *well || connecting).map(|(id, _)| id).collect();
        self.round = Some(Round { vote: None, awaited, since: self.now, until });
        self.advance(fx);
    }

    /// An endpoint told its head.
    pub(super) fn answered(&mut self, endpoint: EndpointId, fx: &mut Vec<Effect>) {
        // During a vote this was a poll's answer, not the one that is awaited.
        if self.round.as_ref().is_some_and(|round| round.vote.is_none()) {
            self.lost_vote(endpoint, fx);
        }
    }

    pub(super) fn heard_vote(&mut self, endpoint: EndpointId, number: u64, hash: Option<B256>, fx: &mut Vec<Effect>) {
        let Some(round) = &mut self.round else { return };
        if round.vote != Some(number) || !round.awaited.remove(&endpoint) {
            return;
        }
        if let Some(hash) = hash {
            self.book.voted(endpoint, Checkpoint { number, hash }, self.now);
        }
        self.advance(fx);
    }

    /// Nothing more is awaited from an endpoint in this round.
    pub(super) fn lost_vote(&mut self, endpoint: EndpointId, fx: &mut Vec<Effect>) {
        if let Some(round) = &mut self.round
            && round.awaited.remove(&endpoint)
        {
            self.advance(fx);
        }
    }

    pub(super) fn round_late(&mut self, fx: &mut Vec<Effect>) {
        if let Some(round) = &mut self.round
            && self.now >= round.until
        {
            round.awaited.clear();
            self.advance(fx);
        }
    }

    /// Goes on once nobody is awaited.
    fn advance(&mut self, fx: &mut Vec<Effect>) {
        let Some(round) = &self.round else { return };
        if !round.awaited.is_empty() {
            return;
        }
        let (vote, since) = (round.vote, round.since);
        if vote.is_none()
            && let Some(at) = self.vote_height()
        {
            return self.begin_vote(at, fx);
        }
        self.round = None;
        let votes = vote.map_or_else(Vec::new, |at| self.votes(at, since));
        self.conclude(vote, &votes, fx);
    }

    /// How many must agree: the settings' quorum, and more than half of those who have a say.
    pub(super) fn quorum(&self) -> usize {
        (self.book.voters(self.now).count() / 2 + 1).max(self.settings.quorum())
    }

    /// Height that a quorum of voters has reached.
    pub(super) fn reference(&self) -> Option<u64> {
        reached_by(self.quorum(), self.book.voters(self.now).map(|(_, _, head)| head.number))
    }

    /// How far a head is followed: what one endpoint alone claims above the others, no further than it may be ahead.
    pub(super) fn target(&self, head: Checkpoint) -> u64 {
        let reached = self.reference().unwrap_or(head.number);
        head.number.min(reached.saturating_add(self.settings.behind_limit))
    }

    /// Our own height, or that of the quorum if it is lower.
    fn vote_height(&self) -> Option<u64> {
        let reached = self.reference()?;
        Some(self.local.head().map_or(reached, |local| local.number.min(reached)))
    }

    fn begin_vote(&mut self, at: u64, fx: &mut Vec<Effect>) {
        let since = self.round.as_ref().map_or(self.now, |round| round.since);
        let unknown: Vec<EndpointId> = self
            .book
            .voters(self.now)
            .filter(|(_, endpoint, head)| head.number >= at && self.hash_of(endpoint, *head, at, since).is_none())
            .map(|(id, _, _)| id)
            .collect();
        for id in &unknown {
            self.ask_hash(*id, at, fx);
        }
        let until = self.now.saturating_add(self.settings.answer_timeout_ms);
        self.round = Some(Round { vote: Some(at), awaited: unknown.into_iter().collect(), since, until });
        self.advance(fx);
    }

    /// What an endpoint says about a height, as far as its head or its answer tells.
    fn hash_of(&self, endpoint: &Endpoint, head: Checkpoint, at: u64, since: u64) -> Option<B256> {
        if head.number == at {
            return Some(head.hash);
        }
        if head.number > at && self.local.has(head) {
            // Its head is ours, and so are the blocks below it.
            return self.local.hash(at);
        }
        endpoint.vote.filter(|vote| vote.at >= since && vote.block.number == at).map(|vote| vote.block.hash)
    }

    fn votes(&self, at: u64, since: u64) -> Vec<Vote> {
        let reached = self.reference();
        let vote = |(id, endpoint, head): (EndpointId, &Endpoint, Checkpoint)| {
            let hash = self.hash_of(endpoint, head, at, since)?;
            // A head that one endpoint alone claims is no merit.
            let height = reached.map_or(head.number, |reached| head.number.min(reached));
            Some(Vote { endpoint: id, hash, height, latency_ms: endpoint.latency_ms })
        };
        self.book.voters(self.now).filter_map(vote).collect()
    }

    fn conclude(&mut self, at: Option<u64>, votes: &[Vote], fx: &mut Vec<Effect>) {
        let (connected, minimum) = (self.book.connected(self.now), self.settings.minimum_connections);
        let needed = if self.state == State::Connecting { minimum } else { self.settings.quorum() };
        if connected < needed {
            self.settled = false;
            self.set_mode(Mode::Resynchronise, fx);
            self.alarm(Alarm::BelowMinimum { connected, minimum }, fx);
            self.ask_again_when_possible();
            return self.go(State::Connecting, format!("{connected} connected, below minimum client count"), fx);
        }
        if connected >= minimum {
            self.alarm_over(AlarmKind::BelowMinimum, fx);
        }
        if self.state == State::Connecting {
            self.fetched = false;
            self.go(State::HighestBlock, format!("{connected} connected"), fx);
        }
        let quorum = self.quorum();
        let elected = elect(votes).filter(|elected| elected.votes >= quorum);
        self.settled = elected.is_some_and(|elected| elected.is_settled(quorum));
        if self.settled {
            self.alarm_over(AlarmKind::NoQuorum, fx);
        }
        let (Some(elected), Some(at)) = (elected, at) else {
            let voters = self.book.voters(self.now).count();
            if votes.len() < voters {
                // A vote was lost: that is no disagreement, and the next try may go well.
                self.next_cycle = self.next_cycle.min(self.now.saturating_add(self.pause()));
            }
            self.ask_again_when_possible();
            let votes = if at.is_some() { elect(votes).map_or(0, |elected| elected.votes) } else { voters };
            return self.no_election(Alarm::NoQuorum { at, votes, quorum }, fx);
        };
        self.elected = Some(elected);
        self.voted_at = at;
        self.judge(elected, at, votes);
        match self.state {
            State::HighestBlock if self.refused => self.refused_still(fx),
            State::HighestBlock => {
                let why = format!("elected {} with {} of {} votes", elected.endpoint, elected.votes, votes.len());
                self.detect(why, fx);
            }
            State::Rebuild | State::Sampling if !self.settled => {
                let alarm = Alarm::NoQuorum { at: Some(at), votes: elected.votes, quorum };
                self.no_election(alarm, fx);
            }
            State::Rebuild | State::Sampling => self.sample(elected, at, fx),
            State::Connecting | State::ForkDetect | State::FetchBlocks => {}
        }
    }

    /// The next round begins once somebody who is missed may be asked, and not only after a whole cycle.
    fn ask_again_when_possible(&mut self) {
        let counts = |id: EndpointId| self.is_well(id) && self.book.is_connected(id, self.now);
        let missed = self.book.iter().filter(|(id, _)| !counts(*id));
        let from = missed.map(|(_, endpoint)| match &endpoint.health {
            Health::SetAside { until, .. } => *until,
            Health::Unknown | Health::Well => self.now,
        });
        if let Some(from) = from.min() {
            self.next_cycle = self.next_cycle.min(from.max(self.now.saturating_add(self.pause())));
        }
    }

    /// Who lags or keeps disagreeing is set aside.
    fn judge(&mut self, elected: Elected, at: u64, votes: &[Vote]) {
        if !self.settled {
            return;
        }
        // A lone high head is no measure: others lag only behind what a quorum has reached.
        if let Some(reached) = self.reference() {
            self.book.judge_lags(reached, self.now);
        }
        let said: Vec<(EndpointId, B256)> = votes.iter().map(|vote| (vote.endpoint, vote.hash)).collect();
        self.book.judge_votes(Checkpoint { number: at, hash: elected.hash }, &said, self.now);
    }

    /// Too few agree: while sampling that is borne for a moment, since honest endpoints may see a new block at
    /// different times.
    fn no_election(&mut self, alarm: Alarm, fx: &mut Vec<Effect>) {
        self.settled = false;
        self.unsettled = self.unsettled.saturating_add(1);
        if self.follows() && self.unsettled < self.settings.unsettled_limit {
            return;
        }
        self.set_mode(Mode::Resynchronise, fx);
        let why = alarm.to_string();
        self.alarm(alarm, fx);
        self.go(State::HighestBlock, why, fx);
    }

    /// A settled round while in step.
    fn sample(&mut self, elected: Elected, at: u64, fx: &mut Vec<Effect>) {
        self.unsettled = 0;
        let Some(head) = self.head_of(elected.endpoint) else { return };
        let Some(local) = self.local.head() else { return self.detect("there are blocks now", fx) };
        if self.local.contradicts(Checkpoint { number: at, hash: elected.hash }) {
            return self.detect(format!("block {at} is another one now"), fx);
        }
        if self.local.contradicts(head) {
            return self.detect(format!("{} has another block {}", elected.endpoint, head.number), fx);
        }
        let moved = self.sampled != Some(local.number);
        self.sampled = Some(local.number);
        let behind = self.target(head).saturating_sub(local.number);
        if behind == 0 {
            self.samples = 0;
        } else if !moved && self.pending.is_empty() {
            self.samples = self.samples.saturating_add(1);
            if behind >= self.settings.behind_limit || self.samples > self.settings.sampling_limit {
                self.samples = 0;
                return self.detect(format!("{behind} blocks behind"), fx);
            }
        }
        if self.state == State::Rebuild && self.opened {
            self.work(fx);
        }
    }

    /// In step, and so is the other chain.
    pub(super) fn work(&mut self, fx: &mut Vec<Effect>) {
        if !self.settled || self.refused {
            return;
        }
        self.samples = 0;
        self.unsettled = 0;
        self.sampled = None;
        self.set_mode(Mode::Normal, fx);
        self.go(State::Sampling, "in step", fx);
    }

    pub(super) fn head_of(&self, id: EndpointId) -> Option<Checkpoint> {
        Some(self.book.get(id)?.head?.block)
    }
}
