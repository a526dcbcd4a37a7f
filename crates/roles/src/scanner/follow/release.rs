//! The events of released blocks: read and stored in order, each block once.
//!
//! Every such block is remembered with its hash, which a quorum of endpoints has confirmed. Blocks whose filter denies
//! all events of ours cost no call.

use super::{Follower, Heard, Scene, block};
use crate::child::ChildError;
use crate::messages::FromScanner;
use facilitator_chain::connector::{EndpointId, Event};
use facilitator_chain::rpc::RpcError;
use facilitator_chain::scan::{Checkpoint, Failed, FetchError, FetchedRange, LogFilter, ScanPlan, Span};
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

    /// Blocks that are too far below the newest one to be remembered.
    fn read_unremembered(&mut self, endpoint: EndpointId, span: Span) {
        let number = self.begin_reading(endpoint, span);
        let (scene, filter) = (Rc::clone(&self.scene), Rc::clone(&self.filter));
        self.tasks.add(async move { Heard::Released(number, scene.range(endpoint, &filter, span).await) });
    }

    fn read_events(&mut self, endpoint: EndpointId, span: Span, blocks: Vec<Checkpoint>) {
        let number = self.begin_reading(endpoint, span);
        let known: Vec<Header> = blocks.iter().filter_map(|block| self.headers.get(*block).cloned()).collect();
        let (scene, filter) = (Rc::clone(&self.scene), Rc::clone(&self.filter));
        self.tasks.add(async move {
            Heard::Released(number, read_events(&*scene, endpoint, &filter, span, &blocks, known).await)
        });
    }

    pub(super) async fn released_came(
        &mut self,
        number: u64,
        answer: Result<FetchedRange, FetchError>,
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
                if self.commit(&range).await? {
                    self.release.plan.succeeded(span);
                }
            }
            Err(FetchError::Lied { message }) => {
                self.rest();
                let before = if self.release.doubts.0 == endpoint { self.release.doubts.1 } else { 0 };
                self.release.doubts = (endpoint, before + 1);
                // A node may merely not have everything of a new block yet.
                if before >= DOUBTS {
                    self.release.doubts = (endpoint, 0);
                    self.feed(Event::Lied { endpoint, message });
                }
            }
            Err(FetchError::Rpc(error)) => {
                // A smaller range may do; everything else is the endpoint's fault.
                if self.release.plan.failed(span, &error) != Failed::Smaller {
                    self.rest();
                    self.feed(Event::ReadFailed { endpoint, error });
                }
            }
            Err(error @ (FetchError::Missing { .. } | FetchError::Inconsistent { .. })) => {
                self.rest();
                let error = RpcError::malformed(error.to_string());
                self.feed(Event::ReadFailed { endpoint, error });
            }
        }
        Ok(())
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

/// The events of remembered blocks, from those among them that may have some.
async fn read_events<S: Scene>(
    scene: &S,
    endpoint: EndpointId,
    filter: &LogFilter,
    span: Span,
    blocks: &[Checkpoint],
    mut headers: Vec<Header>,
) -> Result<FetchedRange, FetchError> {
    let is_known = |number: u64| headers.iter().any(|header| header.number == number);
    let missing: Vec<u64> = blocks.iter().map(|block| block.number).filter(|number| !is_known(*number)).collect();
    for header in scene.headers(endpoint, &missing).await? {
        let agreed = blocks.iter().find(|block| block.number == header.number).map(|block| block.hash);
        if let Some(agreed) = agreed.filter(|agreed| *agreed != header.hash) {
            return Err(FetchError::Inconsistent { number: header.number, header: agreed, log: header.hash });
        }
        headers.push(header);
    }
    headers.sort_by_key(|header| header.number);
    let likely: Vec<Header> = headers.iter().filter(|header| filter.may_be_under(header)).cloned().collect();
    if likely.is_empty() {
        return Ok(FetchedRange { span, headers, entries: Vec::new(), refused: Vec::new() });
    }
    let found = scene.events(endpoint, filter, &likely).await?;
    Ok(FetchedRange { span, headers, ..found })
}
