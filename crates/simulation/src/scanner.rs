//! The scanner's process: the product's follower over simulated node and disk.

use crate::mutation::Mutation;
use crate::names;
use crate::parent::Letter;
use crate::world::{Shared, World, lost, pause, until};
use facilitator_chain::connector::{EndpointId, Settings};
use facilitator_chain::rpc::RpcError;
use facilitator_chain::scan::{Entry, FetchError, FetchedRange, LogFilter, Span};
use facilitator_chain::types::{Bloom, Header};
use facilitator_eth::{B256, U256};
use facilitator_protocol::model::Side;
use facilitator_roles::child::ChildError;
use facilitator_roles::messages::{ChainSetup, FromScanner, ScannerSetup};
use facilitator_roles::scanner::{Follower, Scene};
use facilitator_store::StoreError;
use facilitator_store::scan::{Block, BlockRef, Committed, Rewound, RolledBack, ScanCommit};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

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
        receipts_root: None,
    })
}

impl Scenery {
    /// Headers of some blocks and the events of those among them that `has` names.
    fn read(
        world: &World,
        side: Side,
        numbers: impl Iterator<Item = u64>,
        span: Span,
    ) -> Result<FetchedRange, FetchError> {
        let (mut headers, mut entries) = (Vec::new(), Vec::new());
        for number in numbers {
            let block = world.chains[side].told(number).ok_or(FetchError::Missing { number })?;
            if number == span.from || number == span.to || !block.events.is_empty() {
                headers.push(header(world, side, number)?);
            }
            entries.extend(block.events.iter().map(|(log, event)| Entry { log: log.clone(), event: event.clone() }));
        }
        Ok(FetchedRange { span, headers, entries, refused: Vec::new() })
    }

    /// As a node that may find the range too wide, or whose answer may be lost.
    async fn answer(
        &self,
        span: Span,
        read: impl FnOnce(&World) -> Result<FetchedRange, FetchError>,
    ) -> Result<FetchedRange, FetchError> {
        pause().await;
        let mut world = self.world.borrow_mut();
        world.reach()?;
        if span.blocks() > 1 && world.fault(30) {
            return Err(FetchError::Rpc(RpcError::RangeTooWide { message: "simulated".to_owned() }));
        }
        let found = read(&world)?;
        if world.fault(10) {
            return Err(FetchError::Rpc(lost()));
        }
        Ok(found)
    }
}

impl Scene for Scenery {
    fn now(&self) -> u64 {
        u64::try_from(self.world.borrow().now_ms).unwrap_or(0)
    }

    async fn head(&self, _endpoint: EndpointId, with_chain_id: bool) -> Result<(Option<u64>, Header), RpcError> {
        let head = self.node(|world| header(world, self.side, world.chains[self.side].head())).await;
        let chain_id = names::gateways().chain_id(self.side);
        match head {
            Ok(head) => Ok((with_chain_id.then_some(chain_id), head)),
            Err(FetchError::Rpc(error)) => Err(error),
            Err(error) => Err(RpcError::malformed(error.to_string())),
        }
    }

    async fn hash(&self, _endpoint: EndpointId, number: u64) -> Result<Option<B256>, RpcError> {
        let found = self.node(|world| Ok(world.chains[self.side].told(number).map(|block| block.hash))).await;
        found.map_err(|error| RpcError::malformed(error.to_string()))
    }

    async fn gas_price(&self, _endpoint: EndpointId) -> Result<U256, RpcError> {
        Err(RpcError::malformed("both chains have a base fee"))
    }

    async fn headers(&self, _endpoint: EndpointId, numbers: &[u64]) -> Result<Vec<Header>, FetchError> {
        self.node(|world| numbers.iter().map(|number| header(world, self.side, *number)).collect()).await
    }

    async fn range(&self, _endpoint: EndpointId, _filter: &LogFilter, span: Span) -> Result<FetchedRange, FetchError> {
        self.answer(span, |world| Self::read(world, self.side, span.from..=span.to, span)).await
    }

    async fn events(
        &self,
        _endpoint: EndpointId,
        _filter: &LogFilter,
        headers: &[Header],
    ) -> Result<FetchedRange, FetchError> {
        let (Some(first), Some(last)) = (headers.first(), headers.last()) else { return Err(lost().into()) };
        let span = Span { from: first.number, to: last.number };
        let stands = |world: &World, header: &Header| {
            world.chains[self.side].told(header.number).is_some_and(|block| block.hash == header.hash)
        };
        self.answer(span, |world| match headers.iter().find(|header| !stands(world, header)) {
            Some(header) => Err(FetchError::Missing { number: header.number }),
            None => Self::read(world, self.side, headers.iter().map(|header| header.number), span),
        })
        .await
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

    async fn rewind(&self, _chain_id: u64, to: u64) -> Result<Option<Rewound>, StoreError> {
        self.commit(|world| {
            let undone = world.disk.rollback_to(self.side, BlockRef { number: to, hash: B256::ZERO });
            world.disk.checkpoints[self.side] = None;
            Ok(Some(Rewound { to: None, undone }))
        })
        .await
    }

    async fn remember_blocks(&self, _chain_id: u64, blocks: &[Block]) -> Result<(), StoreError> {
        self.commit(|world| {
            world.disk.blocks[self.side].extend(blocks.iter().map(|block| (block.number, *block)));
            Ok(())
        })
        .await
    }

    async fn forget_blocks(&self, _chain_id: u64, above: u64) -> Result<(), StoreError> {
        self.commit(|world| {
            let stored = world.disk.checkpoints[self.side].map_or(0, |checkpoint| checkpoint.number);
            world.disk.blocks[self.side].retain(|number, _| *number <= above.max(stored));
            Ok(())
        })
        .await
    }

    async fn tell(&self, message: FromScanner) -> Result<(), ChildError> {
        if let FromScanner::InStep(_) | FromScanner::Trouble(_) = &message {
            self.world.borrow_mut().note(|| format!("{}: the scanner says {message:?}", self.side));
        }
        self.world.borrow_mut().parent.post(Letter::Scanner(self.side, self.life, message));
        Ok(())
    }

    fn set_final(&self, height: Option<u64>) {
        self.world.borrow_mut().finals[self.side] = height;
    }

    fn set_client(&self, _endpoint: EndpointId) {}
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
    let connector = Settings {
        poll_interval_ms: chain.poll_interval_ms,
        answer_timeout_ms: 3_000,
        max_log_range: 16,
        ..Settings::new(chain.chain_id, 1, confirmations, 1)
    };
    ScannerSetup { chain, connector, pair: None, gateways: Vec::new(), workers: Vec::new() }
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
    let scenery = Scenery { world: world.clone(), side, life };
    let mut follower = Follower::begin(setup, vec!["http://simulated".to_owned()], scenery).await?;
    loop {
        let due = follower.due_at();
        let is_due = || u64::try_from(world.borrow().now_ms).is_ok_and(|now| now >= due);
        match either(follower.hear(), until(is_due)).await {
            Some(heard) => follower.take(heard).await?,
            None => follower.tick().await?,
        }
    }
}

/// What comes of `first` if it is done before `second`.
async fn either<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> Option<T> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(done) = first.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        second.as_mut().poll(cx).map(|()| None)
    })
    .await
}
