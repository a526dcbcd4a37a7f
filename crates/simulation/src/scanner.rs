//! The scanner's process: the product's follower over simulated node and disk.

use crate::mutation::Mutation;
use crate::names;
use crate::parent::Letter;
use crate::world::{Shared, World, lost, pause, until};
use facilitator_chain::rpc::RpcError;
use facilitator_chain::scan::{Entry, FetchError, FetchedRange, HeadWindow, LogFilter, Span};
use facilitator_chain::types::{Bloom, Header};
use facilitator_eth::U256;
use facilitator_protocol::model::Side;
use facilitator_roles::child::ChildError;
use facilitator_roles::messages::{ChainSetup, FromScanner, ScannerSetup};
use facilitator_roles::scanner::{Follower, Scene};
use facilitator_store::StoreError;
use facilitator_store::scan::{Block, BlockRef, Committed, RolledBack, ScanCommit};

/// Time between two looks at the head, milliseconds.
const POLL_MS: i64 = 200;

struct Scenery {
    world: Shared,
    side: Side,
    life: u64,
}

impl Scenery {
    async fn node<T>(&self, read: impl FnOnce(&World) -> Result<T, FetchError>) -> Result<T, FetchError> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        read(&world)
    }

    async fn commit<T>(&self, write: impl FnOnce(&mut World) -> Result<T, StoreError>) -> Result<T, StoreError> {
        pause().await;
        let done = {
            let mut world = self.world.borrow_mut();
            match world.disk_refuses() {
                Some(error) => Err(error),
                None => write(&mut world),
            }
        };
        pause().await;
        done
    }
}

fn header(world: &World, side: Side, number: u64) -> Result<Header, FetchError> {
    let block = world.chains[side].told(number).ok_or(FetchError::Missing { number })?;
    Ok(Header {
        number,
        hash: block.hash,
        parent_hash: block.parent,
        timestamp: number,
        base_fee: Some(U256::from(block.base_fee)),
        state_root: block.hash,
        logs_bloom: Bloom::of_anything(),
        gas_limit: 30_000_000,
    })
}

impl Scene for Scenery {
    async fn fetch_head(&self) -> Result<Header, FetchError> {
        self.node(|world| header(world, self.side, world.chains[self.side].head())).await
    }

    async fn fetch_headers(&self, numbers: &[u64]) -> Result<Vec<Header>, FetchError> {
        self.node(|world| numbers.iter().map(|number| header(world, self.side, *number)).collect()).await
    }

    async fn fetch_range(
        &self,
        _filter: &LogFilter,
        span: Span,
        _window: &HeadWindow,
    ) -> Result<FetchedRange, FetchError> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        if span.blocks() > 1 && world.fault(30) {
            return Err(FetchError::Rpc(RpcError::RangeTooWide { message: "simulated".to_owned() }));
        }
        let (mut headers, mut entries) = (Vec::new(), Vec::new());
        for number in span.from..=span.to {
            let block = world.chains[self.side].told(number).ok_or(FetchError::Missing { number })?;
            if number == span.from || number == span.to || !block.events.is_empty() {
                headers.push(header(&world, self.side, number)?);
            }
            entries.extend(block.events.iter().map(|(log, event)| Entry { log: log.clone(), event: event.clone() }));
        }
        if world.fault(10) {
            return Err(FetchError::Rpc(lost()));
        }
        Ok(FetchedRange { span, headers, entries, refused: Vec::new() })
    }

    async fn checkpoint(&self, _chain_id: u64) -> Result<Option<BlockRef>, StoreError> {
        pause().await;
        Ok(self.world.borrow().disk.checkpoints[self.side])
    }

    async fn recent_blocks(&self, _chain_id: u64, _limit: u32) -> Result<Vec<Block>, StoreError> {
        pause().await;
        Ok(self.world.borrow().disk.blocks[self.side].values().rev().copied().collect())
    }

    async fn commit_scan(&self, commit: &ScanCommit) -> Result<Committed, StoreError> {
        let apart = self.world.borrow().mutation == Mutation::CheckpointWithoutEvents;
        if apart {
            let bare = ScanCommit { events: Vec::new(), ..commit.clone() };
            self.commit(|world| {
                let now_ms = world.wall_ms();
                world.disk.commit_scan(self.side, &bare, now_ms)
            })
            .await?;
            let rest = ScanCommit { previous: Some(commit.checkpoint), ..commit.clone() };
            return self
                .commit(|world| {
                    let now_ms = world.wall_ms();
                    world.disk.commit_scan(self.side, &rest, now_ms)
                })
                .await;
        }
        let committed = self
            .commit(|world| {
                let now_ms = world.wall_ms();
                world.disk.commit_scan(self.side, commit, now_ms)
            })
            .await?;
        let number = commit.checkpoint.number;
        self.world.borrow_mut().note(|| format!("{}: scanned to block {number}", self.side));
        Ok(committed)
    }

    async fn rollback_to(&self, _chain_id: u64, to: BlockRef) -> Result<RolledBack, StoreError> {
        self.commit(|world| {
            world.note(|| format!("{}: rolled back to {to}", self.side));
            if world.mutation == Mutation::ForkWithoutUndoing {
                world.disk.checkpoints[self.side] = Some(to);
                return Ok(RolledBack::default());
            }
            Ok(world.disk.rollback_to(self.side, to))
        })
        .await
    }

    async fn tell(&self, message: FromScanner) -> Result<(), ChildError> {
        self.world.borrow_mut().parent.post(Letter::Scanner(self.side, self.life, message));
        Ok(())
    }

    fn set_final(&self, height: u64) {
        self.world.borrow_mut().finals[self.side] = Some(height);
    }
}

fn setup(world: &World, side: Side) -> ScannerSetup {
    let set = names::gateways();
    let confirmed = world.chains[side].confirmations;
    let confirmations = if world.mutation == Mutation::ActBeforeConfirmations { 0 } else { confirmed };
    let chain = ChainSetup {
        side,
        chain_id: set.chain_id(side),
        pair: (set.origin_chain_id, set.auxiliary_chain_id),
        rpc: Vec::new(),
        database: String::new(),
        confirmations,
        poll_interval_ms: 200,
        rpc_timeout_ms: 1_000,
        max_batch: 100,
    };
    ScannerSetup { chain, start_block: 1, max_log_range: 16, gateways: Vec::new(), workers: Vec::new() }
}

/// The life of a scanner; it returns when the process ends by itself.
pub(crate) async fn scanner(world: Shared, side: Side, life: u64) {
    let setup = setup(&world.borrow(), side);
    let ended = follow(world.clone(), side, life, &setup).await;
    if let Err(error) = ended {
        world.borrow_mut().note(|| format!("{side}: the scanner ends: {error}"));
    }
}

async fn follow(world: Shared, side: Side, life: u64, setup: &ScannerSetup) -> Result<(), ChildError> {
    let mut follower = Follower::begin(setup, Scenery { world: world.clone(), side, life }).await?;
    loop {
        follower.look().await?;
        for _ in 0..8 {
            if follower.is_behind() {
                follower.step().await?;
            }
        }
        let next = world.borrow().now_ms + POLL_MS;
        until(|| world.borrow().now_ms >= next).await;
    }
}
