//! Follows the head: ranges of final blocks into the database, forks undone.

use super::{Scene, unfit};
use crate::child::ChildError;
use crate::messages::{FromScanner, ScannerSetup};
use facilitator_chain::scan::{
    Advance, AncestorSearch, Checkpoint, Failed, FetchError, FetchedRange, HeadWindow, LogFilter, ScanPlan, SearchStep,
};
use facilitator_chain::types::Header;
use facilitator_eth::Address;
use facilitator_kill::kill_point;
use facilitator_protocol::events::Event;
use facilitator_protocol::model::Side;
use facilitator_sender::Head;
use facilitator_store::StoreError;
use facilitator_store::scan::{Block, BlockRef, ScanCommit};
use std::time::Duration;

/// Deepest fork that is followed without an operator; deeper ones change nothing and raise an alarm.
const MAX_FORK: u64 = 60;

/// Blocks whose hashes are remembered, above what forks may need.
const REMEMBERED: u32 = 1_024;

/// Pause after a range that could not be read.
const PAUSE: Duration = Duration::from_millis(500);

/// The loop's state.
pub struct Follower<S> {
    chain_id: u64,
    start_block: u64,
    scene: S,
    filter: LogFilter,
    plan: ScanPlan,
    window: HeadWindow,
    checkpoint: Option<BlockRef>,
    head: Option<u64>,
    final_height: Option<u64>,
    caught_up: bool,
    troubled: bool,
    pause: Duration,
}

impl<S: Scene> Follower<S> {
    /// Goes on from the checkpoint in the database.
    ///
    /// # Errors
    /// [`ChildError::Store`].
    pub async fn begin(setup: &ScannerSetup, scene: S) -> Result<Self, ChildError> {
        let checkpoint = scene.checkpoint(setup.chain.chain_id).await?;
        let confirmations = setup.chain.confirmations;
        let capacity = usize::try_from(confirmations).unwrap_or(usize::MAX).saturating_add(16).min(512);
        Ok(Self {
            chain_id: setup.chain.chain_id,
            start_block: setup.start_block,
            scene,
            filter: LogFilter::new(watched(setup), Event::TOPICS.to_vec()),
            plan: ScanPlan::new(confirmations, setup.max_log_range),
            window: HeadWindow::new(capacity),
            checkpoint,
            head: None,
            final_height: None,
            caught_up: false,
            troubled: false,
            pause: Duration::ZERO,
        })
    }

    fn next_block(&self) -> u64 {
        self.checkpoint.map_or(self.start_block, |block| block.number.saturating_add(1))
    }

    /// The last block that is read and the last that may be, as far as either is known.
    pub(crate) fn reached(&self) -> (Option<u64>, Option<u64>) {
        (self.checkpoint.map(|block| block.number), self.final_height)
    }

    /// Whether final blocks wait to be read.
    pub fn is_behind(&self) -> bool {
        self.head.is_some_and(|head| self.plan.next(self.next_block(), head).is_some())
    }

    /// A pause after a failure; none otherwise.
    pub(crate) async fn more(&self) {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
    }

    /// Looks at the head.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub async fn look(&mut self) -> Result<(), ChildError> {
        match self.scene.fetch_head().await {
            Ok(header) => self.saw(header).await,
            Err(error) => self.trouble(error.to_string()).await,
        }
    }

    async fn saw(&mut self, header: Header) -> Result<(), ChildError> {
        self.well().await?;
        let head = Head { number: header.number, base_fee: header.base_fee };
        match self.window.push(header.clone()) {
            Advance::Repeated | Advance::Behind => return self.say_caught_up().await,
            Advance::Gap { from, to } => {
                let numbers: Vec<u64> = (from..=to).collect();
                // Without the headers between, the window begins anew: they only save calls.
                for missing in self.scene.fetch_headers(&numbers).await.unwrap_or_default() {
                    self.window.push(missing);
                }
                if matches!(self.window.push(header.clone()), Advance::Gap { .. }) {
                    self.window.clear();
                    self.window.push(header);
                }
            }
            Advance::Forked { at } => tracing::info!(chain = self.chain_id, at, "the head is on another branch"),
            Advance::Extended | Advance::Restarted => {}
        }
        self.head = Some(head.number);
        if let Some(height) = self.plan.final_height(head.number) {
            let height = self.final_height.map_or(height, |known| known.max(height));
            self.final_height = Some(height);
            self.scene.set_final(height);
        }
        kill_point!("scanner.head_seen");
        self.scene.tell(FromScanner::Head(head)).await?;
        kill_point!("scanner.head_told");
        while self.is_behind() && self.pause.is_zero() && self.caught_up {
            self.step().await?;
        }
        self.say_caught_up().await
    }

    async fn say_caught_up(&mut self) -> Result<(), ChildError> {
        if !self.caught_up && self.head.is_some() && !self.is_behind() {
            self.caught_up = true;
            self.scene.tell(FromScanner::CaughtUp).await?;
        }
        Ok(())
    }

    /// Reads and commits the next range.
    ///
    /// # Errors
    /// [`ChildError`]: the process must end and begin again.
    pub async fn step(&mut self) -> Result<(), ChildError> {
        let Some(span) = self.head.and_then(|head| self.plan.next(self.next_block(), head)) else { return Ok(()) };
        self.pause = Duration::ZERO;
        match self.scene.fetch_range(&self.filter, span, &self.window).await {
            Ok(range) => {
                let forked = self
                    .checkpoint
                    .is_some_and(|known| !range.continues(&Checkpoint { number: known.number, hash: known.hash }));
                if forked {
                    return self.follow_fork().await;
                }
                self.commit(&range).await?;
                self.plan.succeeded(span);
                self.say_caught_up().await
            }
            Err(FetchError::Rpc(error)) => {
                let failed = self.plan.failed(span, &error);
                if failed != Failed::Smaller {
                    self.pause = PAUSE;
                    self.trouble(error.to_string()).await?;
                }
                Ok(())
            }
            Err(error @ (FetchError::Missing { .. } | FetchError::Inconsistent { .. })) => {
                self.window.clear();
                self.pause = PAUSE;
                self.trouble(error.to_string()).await
            }
        }
    }

    async fn commit(&mut self, range: &FetchedRange) -> Result<(), ChildError> {
        let Some(reached) = range.checkpoint() else { return Ok(()) };
        for refused in &range.refused {
            tracing::warn!(chain = self.chain_id, error = %refused, "a log with a known topic can't be read; passed over");
        }
        let checkpoint = BlockRef { number: reached.number, hash: reached.hash };
        let commit = ScanCommit {
            chain_id: self.chain_id,
            previous: self.checkpoint,
            blocks: range.headers.iter().map(block).collect(),
            events: range.entries.iter().map(|entry| (entry.log.clone(), entry.event.clone())).collect(),
            checkpoint,
        };
        kill_point!("scanner.fetched");
        match self.scene.commit_scan(&commit).await {
            Ok(committed) => {
                kill_point!("scanner.committed");
                self.checkpoint = Some(checkpoint);
                if committed.woken > 0 || !committed.requests.is_empty() {
                    self.scene.tell(FromScanner::Woke).await?;
                    kill_point!("scanner.woke");
                }
                Ok(())
            }
            Err(error) => self.store_refused(error).await,
        }
    }

    async fn store_refused(&mut self, error: StoreError) -> Result<(), ChildError> {
        if error.passes() {
            self.pause = PAUSE;
            return self.trouble(error.to_string()).await;
        }
        if let StoreError::CheckpointMoved { .. } = error {
            let unfit = unfit(error.to_string());
            self.scene.tell(FromScanner::Unfit(unfit.clone())).await?;
            return Err(ChildError::Unfit(unfit));
        }
        Err(error.into())
    }

    /// The checkpoint is no longer on the chain: finds the common ancestor and undoes what came after it, or changes
    /// nothing and says so if the fork is too deep.
    async fn follow_fork(&mut self) -> Result<(), ChildError> {
        let known = self.scene.recent_blocks(self.chain_id, REMEMBERED).await?;
        let known = known.iter().map(|block| Checkpoint { number: block.number, hash: block.hash }).collect();
        let mut search = AncestorSearch::new(known, MAX_FORK);
        loop {
            match search.step() {
                SearchStep::Ask(number) => match self.scene.fetch_headers(&[number]).await {
                    Ok(headers) => search.answer(headers.first().map(|header| header.hash)),
                    Err(FetchError::Missing { .. }) => search.answer(None),
                    Err(error @ (FetchError::Rpc(_) | FetchError::Inconsistent { .. })) => {
                        self.pause = PAUSE;
                        return self.trouble(error.to_string()).await;
                    }
                },
                SearchStep::Found(ancestor) => return self.undo(ancestor).await,
                SearchStep::TooDeep { depth, .. } => {
                    self.pause = PAUSE;
                    let text = format!(
                        "the chain forked {depth} blocks deep, {MAX_FORK} or more are not undone by themselves: \
                         nothing was changed; check the node"
                    );
                    return self.trouble(text).await;
                }
            }
        }
    }

    async fn undo(&mut self, ancestor: Checkpoint) -> Result<(), ChildError> {
        self.window.clear();
        let to = BlockRef { number: ancestor.number, hash: ancestor.hash };
        if self.checkpoint == Some(to) {
            return Ok(());
        }
        kill_point!("scanner.fork_found");
        let undone = self.scene.rollback_to(self.chain_id, to).await?;
        kill_point!("scanner.rolled_back");
        tracing::warn!(chain = self.chain_id, block = ancestor.number, ?undone, "followed a fork");
        self.checkpoint = Some(to);
        self.scene.tell(FromScanner::Woke).await
    }

    async fn trouble(&mut self, text: String) -> Result<(), ChildError> {
        if !self.troubled {
            tracing::warn!(chain = self.chain_id, error = text, "reading the chain fails; trying again");
        }
        self.troubled = true;
        self.scene.tell(FromScanner::Trouble(Some(text))).await
    }

    async fn well(&mut self) -> Result<(), ChildError> {
        self.pause = Duration::ZERO;
        if !self.troubled {
            return Ok(());
        }
        self.troubled = false;
        tracing::info!(chain = self.chain_id, "the chain can be read again");
        self.scene.tell(FromScanner::Trouble(None)).await
    }
}

const fn block(header: &Header) -> Block {
    Block { number: header.number, hash: header.hash, parent_hash: header.parent_hash }
}

/// The contracts whose events matter on this chain.
fn watched(setup: &ScannerSetup) -> Vec<Address> {
    let of = |gateway: &crate::messages::ConfiguredGateway| match setup.chain.side {
        Side::Origin => vec![gateway.composer, gateway.gateway, gateway.anchor],
        Side::Auxiliary => {
            let mut addresses = vec![gateway.cogateway, gateway.co_anchor];
            addresses.extend(gateway.redeem_pool);
            addresses
        }
    };
    setup.gateways.iter().flat_map(of).collect()
}
