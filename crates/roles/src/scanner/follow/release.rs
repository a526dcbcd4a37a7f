//! The events of released blocks: read and stored in order, each block once.
//!
//! Every such block is remembered with its hash, which a quorum of endpoints has confirmed. Blocks whose filter denies
//! all events of ours cost no call.

use super::read::{self, Unread};
use super::{Follower, Heard, Scene, block};
use crate::child::ChildError;
use crate::messages::FromScanner;
use facilitator_chain::connector::{EndpointId, Event, Witness};
use facilitator_chain::rpc::RpcError;
use facilitator_chain::scan::{Checkpoint, Failed, FetchError, FetchedRange, ScanPlan, Span};
use facilitator_chain::types::Header;
use facilitator_kill::kill_point;
use facilitator_store::scan::{BlockRef, ScanCommit};
use std::rc::Rc;

/// False answers in a row that are borne before their endpoint is set aside as a liar.
const DOUBTS: u32 = 2;

/// How far events may be stored, and what is under way.
pub(super) struct Release {
    target: Option<Checkpoint>,
    plan: ScanPlan,
    /// The read under way: its number, whom it asks, and what.
    reading: Option<(u64, EndpointId, Span)>,
    next_number: u64,
    /// False answers in a row of an endpoint.
    doubts: (EndpointId, u32),
}

impl Release {
    pub(super) fn new(max_range: u64) -> Self {
        Self { target: None, plan: ScanPlan::new(max_range), reading: None, next_number: 0, doubts: (EndpointId(0), 0) }
    }

    pub(super) const fn target(&self) -> Option<Checkpoint> {
        self.target
    }

    pub(super) fn up_to(&mut self, to: Checkpoint) {
        self.target = Some(to);
    }

    /// Blocks above are no longer on the chain: a read under way is not to be used.
    pub(super) fn back_to(&mut self, to: Checkpoint) {
        self.reading = None;
        self.target = self.target.map(|target| if target.number > to.number { to } else { target });
    }

    pub(super) fn forget(&mut self) {
        self.reading = None;
        self.target = None;
    }
}

impl<'s, S: Scene + 's> Follower<'s, S> {
    /// Begins with the next released blocks, if none are under way.
    pub(super) async fn read_released(&mut self) -> Result<(), ChildError> {
        while self.release.reading.is_none() && !self.is_resting() {
            let Some(target) = self.release.target else { return Ok(()) };
            let Some(span) = self.release.plan.next(self.next_block(), target.number) else { return Ok(()) };
            let Some(endpoint) = self.connector.the_client() else { return Ok(()) };
            let local = self.connector.local();
            let hashes: Option<Vec<Checkpoint>> = (span.from..=span.to)
                .map(|number| local.hash(number).map(|hash| Checkpoint { number, hash }))
                .collect();
            let Some(blocks) = hashes else {
                self.read_unremembered(endpoint, span);
                return Ok(());
            };
            let known: Option<Vec<Header>> = blocks.iter().map(|block| self.headers.get(*block).cloned()).collect();
            match known {
                Some(headers) if !headers.iter().any(|header| self.filter.may_be_under(header)) => {
                    let range = FetchedRange { span, headers, entries: Vec::new(), refused: Vec::new() };
                    self.commit(&range).await?;
                }
                Some(_) | None => self.read_events(endpoint, span, blocks),
            }
        }
        Ok(())
    }

    fn begin_reading(&mut self, endpoint: EndpointId, span: Span) -> u64 {
        let number = self.release.next_number;
        self.release.next_number += 1;
        self.release.reading = Some((number, endpoint, span));
        number
    }

    /// Blocks that are too far below the newest one to be remembered: the database was out of reach for long.
    fn read_unremembered(&mut self, endpoint: EndpointId, span: Span) {
        let witness = match self.connector.witness() {
            Witness::Of(witness) => Some(witness),
            Witness::NotNeeded => None,
            // The next round finds one.
            Witness::Awaited => return,
        };
        let number = self.begin_reading(endpoint, span);
        let (scene, filter) = (Rc::clone(&self.scene), Rc::clone(&self.filter));
        self.tasks.add(async move {
            Heard::Released(number, read::block_by_block(&*scene, endpoint, witness, &filter, span).await)
        });
    }

    fn read_events(&mut self, endpoint: EndpointId, span: Span, blocks: Vec<Checkpoint>) {
        let number = self.begin_reading(endpoint, span);
        let known: Vec<Header> = blocks.iter().filter_map(|block| self.headers.get(*block).cloned()).collect();
        let (scene, filter, witness) = (Rc::clone(&self.scene), Rc::clone(&self.filter), self.connector.witness());
        self.tasks.add(async move {
            Heard::Released(number, read::remembered(&*scene, endpoint, witness, &filter, span, &blocks, known).await)
        });
    }

    pub(super) async fn released_came(
        &mut self,
        number: u64,
        answer: Result<FetchedRange, Unread>,
    ) -> Result<(), ChildError> {
        let Some((_, endpoint, span)) = self.release.reading.take_if(|(under_way, ..)| *under_way == number) else {
            // A fork came between.
            return Ok(());
        };
        if span.to < self.next_block() {
            // Stored meanwhile.
            return Ok(());
        }
        match answer {
            Ok(range) if !range.headers.first().is_some_and(|first| self.continues(first)) => {
                self.rest();
                let error = RpcError::malformed(format!("block {} does not continue what is stored", span.from));
                self.feed(Event::ReadFailed { endpoint, error });
            }
            Ok(range) => {
                self.release.doubts = (endpoint, 0);
                self.feed(Event::Read { endpoint });
                for header in &range.headers {
                    self.headers.keep(header.clone());
                }
                self.note_unproven(&range.headers);
                if self.commit(&range).await? {
                    self.release.plan.succeeded(span);
                }
            }
            Err(Unread::Endpoint(error)) => self.not_released(endpoint, span, error),
            Err(Unread::Witness(witness, error)) => self.not_released(witness, span, error),
            Err(Unread::Unwitnessed) => self.rest(),
        }
        Ok(())
    }

    /// What was asked for the events of released blocks did not give them.
    fn not_released(&mut self, endpoint: EndpointId, span: Span, error: FetchError) {
        match error {
            FetchError::Lied { message } => {
                self.rest();
                let before = if self.release.doubts.0 == endpoint { self.release.doubts.1 } else { 0 };
                self.release.doubts = (endpoint, before + 1);
                // A node may merely not have everything of a new block yet.
                if before >= DOUBTS {
                    self.release.doubts = (endpoint, 0);
                    self.feed(Event::Lied { endpoint, message });
                }
            }
            FetchError::Rpc(error) => {
                // A smaller range may do; everything else is the endpoint's fault.
                if self.release.plan.failed(span, &error) != Failed::Smaller {
                    self.rest();
                    self.feed(Event::ReadFailed { endpoint, error });
                }
            }
            error @ (FetchError::Missing { .. } | FetchError::Inconsistent { .. }) => {
                self.rest();
                let error = RpcError::malformed(error.to_string());
                self.feed(Event::ReadFailed { endpoint, error });
            }
        }
    }

    /// Says once that headers prove nothing, and that they do again.
    fn note_unproven(&mut self, headers: &[Header]) {
        let unproven = headers.iter().find(|header| !read::is_bound(header)).map(|header| header.number);
        match (self.unproven_from, unproven) {
            (None, Some(from)) => {
                self.unproven_from = unproven;
                let note = self.note().unwrap_or_default();
                tracing::warn!(chain = self.chain_id, from, "{note}");
            }
            (Some(_), None) => {
                self.unproven_from = None;
                tracing::info!(chain = self.chain_id, "the headers of blocks are of a known form again");
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// What an operator should know of how the chain is read, though it is read.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let from = self.unproven_from?;
        let why = "have headers of a form that this version does not know, so that nothing proves their events";
        let so = match self.connector.witness() {
            Witness::Of(_) | Witness::Awaited => "two endpoints must tell the same ones",
            Witness::NotNeeded => {
                "they are as the only endpoint tells them. A second endpoint or a newer version would make that sure"
            }
        };
        Some(format!("blocks from {from} on {why}: {so}"))
    }

    /// Names the requests and messages of what was stored, so that each can be followed through the log.
    fn tell_found(commit: &ScanCommit) {
        for (log, event) in &commit.events {
            let name = event.name();
            let request = event.request_hash().map(tracing::field::display);
            let message = event.message_hash().map(tracing::field::display);
            if request.is_some() && name.ends_with("Requested") {
                tracing::info!(request, block = log.block_number, "{name}");
            } else if request.is_some() || message.is_some() {
                tracing::debug!(request, message, block = log.block_number, "{name}");
            }
        }
    }

    /// Stores a range with its events and the new checkpoint, in one transaction (law 6); whether it was.
    pub(super) async fn commit(&mut self, range: &FetchedRange) -> Result<bool, ChildError> {
        let Some(reached) = range.checkpoint() else { return Ok(true) };
        for refused in &range.refused {
            tracing::warn!(chain = self.chain_id, error = %refused, "a log with a known topic can't be read; passed over");
        }
        let next = self.next_block();
        let checkpoint = BlockRef { number: reached.number, hash: reached.hash };
        let mut blocks = self.unsaved.clone();
        blocks.extend(range.headers.iter().map(block));
        let fresh = range.entries.iter().filter(|entry| entry.log.block_number >= next);
        let commit = ScanCommit {
            chain_id: self.chain_id,
            previous: self.checkpoint,
            blocks,
            events: fresh.map(|entry| (entry.log.clone(), entry.event.clone())).collect(),
            checkpoint,
        };
        kill_point!("scanner.fetched");
        let committed = match self.scene.commit_scan(&commit).await {
            Ok(committed) => committed,
            Err(error) => {
                self.store_refused(error).await?;
                return Ok(false);
            }
        };
        kill_point!("scanner.committed");
        Self::tell_found(&commit);
        self.gaps.stored(&range.entries, next);
        self.checkpoint = Some(checkpoint);
        self.unsaved.clear();
        self.headers.forget_below(checkpoint.number);
        self.told.database(None);
        if committed.woken > 0 || !committed.requests.is_empty() {
            self.scene.tell(FromScanner::Woke).await?;
            kill_point!("scanner.woke");
        }
        Ok(true)
    }
}
