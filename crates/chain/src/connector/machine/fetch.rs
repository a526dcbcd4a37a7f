//! Reading what is missing, and releasing what is agreed.

use super::{Connector, Effect, Keep, RangeError, State, Witness};
use crate::{
    connector::{
        election::reached_by,
        endpoints::{Ask, Endpoint, EndpointId},
        health::Reason,
    },
    rpc::RpcError,
    scan::{Checkpoint, Failed, FetchError, Span},
};

/// A range under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    ticket: u64,
    endpoint: EndpointId,
    witness: Option<EndpointId>,
    span: Span,
    keep: Keep,
    /// Read, and being stored.
    read: bool,
}

/// Ranges under way at once: one is read while another is stored.
const AHEAD: usize = 2;

impl Connector {
    pub(super) fn begin_fetch(&mut self, why: impl Into<String>, fx: &mut Vec<Effect>) {
        self.go(State::FetchBlocks, why, fx);
    }

    /// Asks for the next range, if there is one and it is time.
    pub(super) fn fetch(&mut self, fx: &mut Vec<Effect>) {
        let fetching = self.state == State::FetchBlocks;
        let busy = self.pending.len() >= AHEAD || self.pending.iter().any(|pending| !pending.read);
        if !(fetching || self.follows()) || busy || self.now < self.fetch_at {
            return;
        }
        let head = self.the_client().and_then(|client| Some((client, self.head_of(client)?)));
        let (Some((endpoint, head)), Some(reached)) = (head, self.reference()) else {
            if fetching && self.pending.is_empty() {
                self.look_again(self.pause(), "nobody to read from", fx);
            }
            return;
        };
        let last = self.target(head);
        let next = match (self.pending.back(), self.local.head()) {
            (Some(pending), _) => pending.span.to.saturating_add(1),
            (None, Some(local)) => local.number.saturating_add(1),
            (None, None) => self.settings.start_block,
        };
        if next > last {
            if fetching && self.pending.is_empty() {
                self.fetched = true;
                self.look_again(0, "past the remote height", fx);
            }
            return;
        }
        let dense_from = head.number.min(reached).saturating_sub(self.settings.dense_blocks);
        let sparse = next < dense_from;
        // Events are stored in order: what is near the head waits until those far below it are.
        if !sparse && self.reads_events() {
            return;
        }
        // A round decides about forks, and about whatever is too much to be followed on the way.
        if !fetching && (sparse || last - next >= self.settings.blocks_per_fetch || self.local.contradicts(head)) {
            return;
        }
        let (span, keep, witness) = if sparse {
            if !self.settled {
                if self.pending.is_empty() {
                    self.look_again(self.settings.cycle_interval_ms, "the endpoints draw", fx);
                }
                return;
            }
            let witness = match self.witness() {
                Witness::Of(witness) => Some(witness),
                Witness::NotNeeded => None,
                Witness::Awaited => {
                    if self.pending.is_empty() {
                        self.look_again(self.pause(), "nobody to check what is read against", fx);
                    }
                    return;
                }
            };
            // Blocks that were remembered before a long absence, and whose events were never released, are read with it.
            let unread = self.released.map_or(self.settings.start_block, |released| released.saturating_add(1));
            let next = if self.pending.is_empty() { next.min(unread) } else { next };
            let Some(span) = self.book.range(endpoint, next, dense_from - 1) else { return };
            (span, Keep::Ends, witness)
        } else {
            let to = last.min(next.saturating_add(self.settings.blocks_per_fetch - 1));
            (Span { from: next, to }, Keep::Every, None)
        };
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.pending.push_back(Pending { ticket, endpoint, witness, span, keep, read: false });
        self.book.asked(endpoint);
        fx.push(Effect::FetchRange { ticket, endpoint, witness, span, keep });
    }

    /// Who has to say the same as the endpoint that is read, where nothing proves what it says.
    #[must_use]
    pub fn witness(&self) -> Witness {
        match self.elected.and_then(|elected| elected.witness).filter(|id| self.is_well(*id)) {
            Some(witness) => Witness::Of(witness),
            None if self.quorum() < 2 => Witness::NotNeeded,
            None => Witness::Awaited,
        }
    }

    /// Whether a range is under way whose events are stored with it.
    fn reads_events(&self) -> bool {
        self.pending.iter().any(|pending| pending.keep == Keep::Ends)
    }

    /// Whether a range is still wanted: an answer to any other is to be passed over.
    #[must_use]
    pub fn wants(&self, ticket: u64) -> bool {
        self.pending.iter().any(|pending| pending.ticket == ticket)
    }

    pub(super) fn range_read(&mut self, ticket: u64) {
        for pending in self.pending.iter_mut().filter(|pending| pending.ticket == ticket) {
            pending.read = true;
        }
    }

    /// See [`super::Event::RangeStored`].
    pub(super) fn range_stored(&mut self, ticket: u64, blocks: Vec<Checkpoint>, fx: &mut Vec<Effect>) {
        let Some(stored) = self.pending.pop_front_if(|pending| pending.ticket == ticket) else { return };
        for endpoint in [Some(stored.endpoint), stored.witness].into_iter().flatten() {
            self.book.answered(endpoint, Ask::Range, 0, self.now);
        }
        self.local.extend(blocks);
        match stored.keep {
            Keep::Ends => {
                self.book.range_read(stored.endpoint, stored.span);
                self.released = self.released.max(Some(stored.span.to));
            }
            Keep::Every => self.ask_others(fx),
        }
        if self.state == State::FetchBlocks {
            self.fetch_at = self.now.saturating_add(self.settings.fetch_pause_ms);
        }
        self.go_on(fx);
    }

    /// See [`super::Event::RangeFailed`].
    pub(super) fn range_failed(&mut self, ticket: u64, error: RangeError, fx: &mut Vec<Effect>) {
        let Some(index) = self.pending.iter().position(|pending| pending.ticket == ticket) else { return };
        let Some(failed) = self.pending.get(index).copied() else { return };
        self.pending.truncate(index);
        let why = self.blame(failed, error);
        let passes = self.follows() && self.is_well(failed.endpoint);
        match why {
            Some(Blame::Passing(_)) if passes => self.fetch_at = self.now.saturating_add(self.pause()),
            Some(Blame::Passing(why) | Blame::Serious(why)) if self.state == State::FetchBlocks || self.follows() => {
                self.look_again(self.pause(), why, fx);
            }
            Some(Blame::Passing(_) | Blame::Serious(_)) | None => {}
        }
        self.go_on(fx);
    }

    /// What a failed range means for its endpoint; `None`: a smaller one may be asked at once.
    fn blame(&mut self, failed: Pending, error: RangeError) -> Option<Blame> {
        let Pending { endpoint, span, .. } = failed;
        let strike = |connector: &mut Self, endpoint: EndpointId, text: String| {
            connector.book.failed(endpoint, Ask::Range, &RpcError::malformed(text.clone()), connector.now);
            Some(Blame::Serious(text))
        };
        match error {
            RangeError::Fetch(FetchError::Rpc(error)) => self.unanswered(failed, endpoint, &error),
            RangeError::Witness { witness, error: FetchError::Rpc(error) } => self.unanswered(failed, witness, &error),
            RangeError::Fetch(error @ (FetchError::Missing { .. } | FetchError::Inconsistent { .. })) => {
                strike(self, endpoint, error.to_string())
            }
            RangeError::Witness { witness, error } => strike(self, witness, error.to_string()),
            RangeError::NotLinked => {
                let Span { from, to } = span;
                strike(self, endpoint, format!("blocks {from} to {to} do not continue what is stored"))
            }
            RangeError::Fetch(FetchError::Lied { message }) => {
                self.book.set_aside(endpoint, Reason::Lied { message: message.clone() }, None, self.now);
                Some(Blame::Serious(message))
            }
            RangeError::Store { message } => Some(Blame::Passing(message)),
            RangeError::Again => None,
        }
    }

    /// An endpoint asked for a range, or to witness it, did not give it.
    fn unanswered(&mut self, failed: Pending, by: EndpointId, error: &RpcError) -> Option<Blame> {
        let verdict = match failed.keep {
            Keep::Ends => self.book.range_failed(failed.endpoint, by, failed.span, error, self.now),
            Keep::Every => {
                self.book.failed(by, Ask::Range, error, self.now);
                Failed::Same
            }
        };
        match verdict {
            Failed::Smaller if self.is_well(by) => None,
            Failed::Smaller | Failed::Same | Failed::Stuck => Some(Blame::Passing(error.to_string())),
        }
    }

    /// A fork waits until nothing is under way.
    fn go_on(&mut self, fx: &mut Vec<Effect>) {
        if self.state == State::ForkDetect && self.pending.is_empty() {
            self.compare(fx);
        }
    }

    /// After a new block: as many others as a quorum needs are asked for their heads, so that confirmations are not
    /// counted by one endpoint alone, nor wait for the next round.
    fn ask_others(&mut self, fx: &mut Vec<Effect>) {
        if !self.follows() || self.round_is_on() {
            return;
        }
        let client = self.the_client();
        let mut others: Vec<(u64, EndpointId, bool)> = self
            .book
            .voters(self.now)
            .filter(|(id, _, _)| Some(*id) != client)
            .map(|(id, endpoint, _)| (endpoint.latency_ms, id, endpoint.subscribed))
            .collect();
        others.sort_unstable();
        others.truncate(self.quorum().saturating_sub(1));
        for (_, id, subscribed) in others {
            if !subscribed {
                self.ask_head(id, fx);
            }
        }
    }

    /// Releases the newest block on which a quorum has built its confirmations: each has said to have the block so far
    /// above it, or a later one of ours.
    pub(super) fn release(&mut self, fx: &mut Vec<Effect>) {
        if !self.settled || self.refused || self.deleting.is_some() || self.reads_events() {
            return;
        }
        let confirmed = |endpoint: &Endpoint| {
            let claims = [endpoint.head, endpoint.vote].into_iter().flatten();
            claims.filter(|claim| self.local.has(claim.block)).map(|claim| claim.block.number).max()
        };
        let claims = self.book.voters(self.now).filter_map(|(_, endpoint, _)| confirmed(endpoint));
        let agreed = reached_by(self.quorum(), claims);
        let deep = agreed.and_then(|agreed| agreed.checked_sub(self.settings.confirmations));
        let Some(to) = deep.and_then(|deep| self.local.at_or_below(deep)) else { return };
        if to.number >= self.settings.start_block && self.released.is_none_or(|released| released < to.number) {
            self.released = Some(to.number);
            fx.push(Effect::Release { to });
        }
    }
}

enum Blame {
    /// The same may succeed in a moment.
    Passing(String),
    /// All endpoints should be asked again.
    Serious(String),
}
