//! Ranges that the connector wants: headers near the head, events with the ends' headers far below it.

use super::read::{self, Unread};
use super::{Follower, Heard, Scene, block};
use crate::child::ChildError;
use facilitator_chain::connector::{EndpointId, Event, RangeError};
use facilitator_chain::scan::complete::Gap;
use facilitator_chain::scan::{Checkpoint, FetchError, FetchedRange, Span};
use facilitator_chain::types::Header;
use std::rc::Rc;

impl<'s, S: Scene + 's> Follower<'s, S> {
    /// Reads all headers of a range but those that are known as the endpoint's head or below it.
    pub(super) fn fetch_headers(&mut self, ticket: u64, endpoint: EndpointId, span: Span) {
        let known = self.headers_below_head(endpoint, span);
        let scene = Rc::clone(&self.scene);
        self.tasks.add(async move {
            let missing: Vec<u64> =
                (span.from..=span.to).filter(|number| !known.iter().any(|header| header.number == *number)).collect();
            let read = scene.headers(endpoint, &missing).await;
            Heard::Headers(
                ticket,
                read.map(|mut headers| {
                    headers.extend(known);
                    headers.sort_by_key(|header| header.number);
                    headers
                }),
            )
        });
    }

    /// The endpoint's head and the blocks below it that were heads before, as far as they link.
    fn headers_below_head(&self, endpoint: EndpointId, span: Span) -> Vec<Header> {
        let head = self.connector.book().get(endpoint).and_then(|endpoint| endpoint.head);
        let Some(mut at) = head.map(|head| head.block) else { return Vec::new() };
        let mut known = Vec::new();
        while let Some(header) = self.headers.get(at).filter(|_| at.number >= span.from) {
            if span.contains(at.number) {
                known.push(header.clone());
            }
            let Some(below) = at.number.checked_sub(1) else { break };
            at = Checkpoint { number: below, hash: header.parent_hash };
        }
        known
    }

    pub(super) fn headers_came(&mut self, ticket: u64, answer: Result<Vec<Header>, FetchError>) {
        if !self.connector.wants(ticket) {
            return;
        }
        let linked = match answer {
            Ok(headers) if self.is_linked(&headers) => headers,
            Ok(_) => return self.feed(Event::RangeFailed { ticket, error: RangeError::NotLinked }),
            Err(error) => return self.feed(Event::RangeFailed { ticket, error: RangeError::Fetch(error) }),
        };
        let blocks = linked.iter().map(|header| Checkpoint { number: header.number, hash: header.hash }).collect();
        for header in linked {
            self.remember(block(&header));
            self.headers.keep(header);
        }
        self.feed(Event::RangeStored { ticket, blocks });
    }

    /// Whether headers link with each other and with the block remembered before them.
    fn is_linked(&self, headers: &[Header]) -> bool {
        link(headers) && headers.first().is_some_and(|first| self.continues(first))
    }

    /// Whether a header is the child of the block remembered before it, if there is one.
    pub(super) fn continues(&self, first: &Header) -> bool {
        let Some(before) = first.number.checked_sub(1) else { return true };
        let checkpoint = self.checkpoint.filter(|checkpoint| checkpoint.number == before).map(|block| block.hash);
        self.connector.local().hash(before).or(checkpoint).is_none_or(|hash| hash == first.parent_hash)
    }

    /// Reads the events of a range: as told, or block by block where something was left out of what was told.
    pub(super) fn fetch_range(&mut self, ticket: u64, endpoint: EndpointId, witness: Option<EndpointId>, span: Span) {
        let (scene, filter) = (Rc::clone(&self.scene), Rc::clone(&self.filter));
        let doubted = self.gaps.doubts(span);
        self.tasks.add(async move {
            let read = if doubted {
                read::block_by_block(&*scene, endpoint, witness, &filter, span).await
            } else {
                read::told(&*scene, endpoint, witness, &filter, span).await
            };
            Heard::Range(ticket, read)
        });
    }

    pub(super) async fn range_came(
        &mut self,
        ticket: u64,
        answer: Result<FetchedRange, Unread>,
    ) -> Result<(), ChildError> {
        if !self.connector.wants(ticket) {
            return Ok(());
        }
        match answer {
            Ok(range) if !range.headers.first().is_some_and(|first| self.continues(first)) => {
                self.feed(Event::RangeFailed { ticket, error: RangeError::NotLinked });
            }
            Ok(range) => {
                // The next one is read while this one is stored.
                self.feed(Event::RangeRead { ticket });
                self.early.push((ticket, range));
            }
            Err(unread) => {
                let error = match unread {
                    Unread::Endpoint(error) => RangeError::Fetch(error),
                    Unread::Witness(witness, error) => RangeError::Witness { witness, error },
                    Unread::Unwitnessed => RangeError::Again,
                };
                self.feed(Event::RangeFailed { ticket, error });
            }
        }
        Ok(())
    }

    /// Stores ranges that continue what is stored; the others wait for the events below them.
    pub(super) async fn store_early(&mut self) -> Result<(), ChildError> {
        while !self.is_resting()
            && let Some(index) = self.early.iter().position(|(_, range)| range.span.from <= self.next_block())
        {
            let (ticket, range) = self.early.remove(index);
            if !self.connector.wants(ticket) {
                continue;
            }
            if let Some(gap) = self.gaps.first_in(&range, self.next_block()) {
                self.read_again(ticket, &gap).await?;
                continue;
            }
            let blocks = range.headers.iter().map(|header| Checkpoint { number: header.number, hash: header.hash });
            let blocks: Vec<Checkpoint> = blocks.collect();
            let mut is_stored = true;
            while is_stored && range.span.to >= self.next_block() {
                let before = self.next_block();
                // Another instance may have stored a part of it meanwhile.
                is_stored = self.commit(&range).await? || self.next_block() > before;
            }
            if !is_stored {
                let message = "the database could not be written".to_owned();
                self.feed(Event::RangeFailed { ticket, error: RangeError::Store { message } });
                continue;
            }
            self.feed(Event::RangeStored { ticket, blocks });
        }
        Ok(())
    }

    /// Something was left out before this: what may lack it is undone, and read again block by block.
    async fn read_again(&mut self, ticket: u64, gap: &Gap) -> Result<(), ChildError> {
        let from = self.gaps.doubt(gap, self.start_block);
        tracing::warn!(
            chain = self.chain_id,
            "{gap}, which the node's logs do not tell: blocks {from} to {} are read one by one",
            gap.shown_by.0
        );
        let undone = if from < self.next_block() { self.go_back(from).await? } else { true };
        if undone {
            self.feed(Event::RangeFailed { ticket, error: RangeError::Again });
        } else {
            let message = "the database could not be written".to_owned();
            self.feed(Event::RangeFailed { ticket, error: RangeError::Store { message } });
        }
        Ok(())
    }
}

/// Whether each header is the child of the one before it.
pub(super) fn link(headers: &[Header]) -> bool {
    headers.windows(2).all(|pair| match pair {
        [a, b] => a.number.checked_add(1) == Some(b.number) && a.hash == b.parent_hash,
        _ => true,
    })
}
