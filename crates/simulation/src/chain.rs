//! One chain: blocks with the state after each, a pool, and what strangers do.
//!
//! The number of a block is its place in the list. A reorg cuts the list and grows a longer one; what stood in the
//! removed blocks goes back to the pool or is lost.

use crate::contracts::{Call, Place, Roots, execute};
use crate::names;
use crate::rng::Rng;
use crate::state::{Snapshot, State, incoming, outgoing};
use facilitator_eth::{Address, B256, Bytes, U256, keccak256};
use facilitator_protocol::events::{Event, Log};
use facilitator_protocol::model::{Kind, Side};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Units of gas of every transaction.
pub(crate) const GAS: u64 = 100_000;
/// Price of gas in quiet times, wei.
const QUIET_FEE: u64 = 10;

/// Who signed a transaction with a worker's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// A sender of ours.
    Own,
    /// Somebody else: another program, the operator by hand.
    Foreign,
}

/// A signed transaction of one of the workers.
#[derive(Debug, Clone)]
pub(crate) struct Tx {
    pub(crate) hash: B256,
    pub(crate) author: Author,
    pub(crate) intent: String,
    pub(crate) from: Address,
    pub(crate) nonce: u64,
    pub(crate) to: Address,
    pub(crate) value: U256,
    pub(crate) data: Bytes,
    /// Highest price of a unit of gas, wei.
    pub(crate) price: u64,
}

/// Whether a transaction in a block did what it was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Succeeded,
    Reverted,
}

/// Something that a stranger does in a block, by the name that a reorg leaves it.
pub(crate) trait Deed: std::fmt::Debug {
    /// Its transaction.
    fn hash(&self) -> B256;
    /// What it changes; `None` if the contracts refuse it.
    fn act(&self, state: &mut State) -> Option<Vec<(Address, Event)>>;
}

/// A block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) parent: B256,
    pub(crate) base_fee: u64,
    pub(crate) state: Rc<State>,
    pub(crate) mined: Vec<(Rc<Tx>, Fate)>,
    pub(crate) deeds: Vec<Rc<dyn Deed>>,
    pub(crate) events: Vec<(Log, Event)>,
}

/// A chain.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) side: Side,
    pub(crate) confirmations: u64,
    pub(crate) blocks: Vec<Block>,
    pub(crate) pool: Vec<Rc<Tx>>,
    /// What strangers have sent and no block has.
    pub(crate) waiting: Vec<Rc<dyn Deed>>,
    /// Where each worker's transaction stands.
    pub(crate) index: BTreeMap<B256, (u64, Fate)>,
    /// How many blocks the node that is asked lags behind.
    pub(crate) lag: u64,
    pub(crate) base_fee: u64,
    branch: u64,
}

impl Chain {
    pub(crate) fn new(side: Side, confirmations: u64, state: State) -> Self {
        let genesis = Block {
            number: 0,
            hash: keccak256([if side == Side::Origin { 1 } else { 2 }]),
            parent: B256::ZERO,
            base_fee: QUIET_FEE,
            state: Rc::new(state),
            mined: Vec::new(),
            deeds: Vec::new(),
            events: Vec::new(),
        };
        Self {
            side,
            confirmations,
            blocks: vec![genesis],
            pool: Vec::new(),
            waiting: Vec::new(),
            index: BTreeMap::new(),
            lag: 0,
            base_fee: QUIET_FEE,
            branch: 0,
        }
    }

    pub(crate) fn tip(&self) -> u64 {
        (self.blocks.len() as u64).saturating_sub(1)
    }

    /// The newest block that the node tells of.
    pub(crate) fn head(&self) -> u64 {
        self.tip().saturating_sub(self.lag)
    }

    /// The newest block with enough confirmations, in truth.
    pub(crate) fn final_height(&self) -> Option<u64> {
        self.tip().checked_sub(self.confirmations)
    }

    pub(crate) fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    /// As [`Chain::block`], as far as the node knows.
    pub(crate) fn told(&self, number: u64) -> Option<&Block> {
        self.block(number).filter(|_| number <= self.head())
    }

    pub(crate) fn state(&self) -> Rc<State> {
        self.blocks.last().map(|block| block.state.clone()).unwrap_or_default()
    }

    pub(crate) fn snapshot(&self, number: u64) -> Option<Snapshot> {
        let block = self.told(number)?;
        Some(Snapshot { side: self.side, height: number, hash: block.hash, state: block.state.clone() })
    }

    /// Mines a block with each waiting transaction in it by a chance of `permille`.
    pub(crate) fn mine(&mut self, roots: &Roots, rng: &mut Rng, permille: u64) {
        let Some(parent) = self.blocks.last() else { return };
        let (number, parent_hash) = (parent.number + 1, parent.hash);
        let mut state = (*parent.state).clone();
        self.branch += 1;
        let seal = [parent_hash.0.as_slice(), &number.to_be_bytes(), &self.branch.to_be_bytes()].concat();
        let hash = keccak256(seal);
        let mut block = Block {
            number,
            hash,
            parent: parent_hash,
            base_fee: self.base_fee,
            state: Rc::default(),
            mined: Vec::new(),
            deeds: Vec::new(),
            events: Vec::new(),
        };
        for deed in std::mem::take(&mut self.waiting) {
            if !rng.chance(permille) {
                self.waiting.push(deed);
            } else if let Some(events) = deed.act(&mut state) {
                block.log(deed.hash(), events);
                block.deeds.push(deed);
            }
        }
        self.include(&mut state, &mut block, roots, rng, permille);
        self.pool.retain(|tx| tx.nonce >= state.nonce(tx.from));
        for (tx, fate) in &block.mined {
            self.index.insert(tx.hash, (number, *fate));
        }
        block.state = Rc::new(state);
        self.blocks.push(block);
    }

    fn include(&mut self, state: &mut State, block: &mut Block, roots: &Roots, rng: &mut Rng, permille: u64) {
        let mut pool = self.pool.clone();
        pool.sort_by_key(|tx| (tx.from, tx.nonce));
        for tx in pool {
            let cost = GAS.saturating_mul(tx.price).saturating_add(tx.value.to_u64().unwrap_or(u64::MAX));
            let able = tx.nonce == state.nonce(tx.from) && tx.price >= block.base_fee && state.coins(tx.from) >= cost;
            if !able || !rng.chance(permille) {
                continue;
            }
            let mut after = state.clone();
            let call = Call { from: tx.from, to: tx.to, value: tx.value, data: &tx.data };
            let done = execute(&mut after, &Place { side: self.side, roots, number: block.number }, call);
            let (fate, events) = match done {
                Ok(done) => (Fate::Succeeded, done.events),
                Err(_) => {
                    after = state.clone();
                    (Fate::Reverted, Vec::new())
                }
            };
            after.nonces.insert(tx.from, tx.nonce + 1);
            let gas = GAS * block.base_fee;
            if after.burn(names::COIN, tx.from, gas).is_some() {
                after.burnt += gas;
            }
            *state = after;
            block.log(tx.hash, events);
            block.mined.push((tx, fate));
        }
    }

    /// Removes the newest `depth` blocks and grows `depth + 1` others. Of what stood in the removed ones strangers' deeds
    /// are lost by a chance of `lost` permille, workers' transactions likewise.
    pub(crate) fn reorg(&mut self, depth: u64, roots: &Roots, rng: &mut Rng, lost: u64) {
        let depth = depth.min(self.tip());
        for _ in 0..depth {
            let Some(block) = self.blocks.pop() else { break };
            for (tx, _) in block.mined.into_iter().rev() {
                self.index.remove(&tx.hash);
                if !rng.chance(lost) {
                    self.pool.push(tx);
                }
            }
            for deed in block.deeds.into_iter().rev() {
                if !rng.chance(lost) {
                    self.waiting.insert(0, deed);
                }
            }
        }
        for _ in 0..=depth {
            self.mine(roots, rng, 600);
        }
    }

    /// Takes a transaction as a node does; the error is in the words of geth.
    pub(crate) fn take(&mut self, tx: &Rc<Tx>) -> Result<(), &'static str> {
        if self.pool.iter().any(|known| known.hash == tx.hash) {
            return Err("already known");
        }
        let head = self.head();
        let nonce = self.block(head).map_or(0, |block| block.state.nonce(tx.from));
        if tx.nonce < nonce {
            return Err("nonce too low");
        }
        if let Some(place) = self.pool.iter_mut().find(|known| known.from == tx.from && known.nonce == tx.nonce) {
            if tx.price.saturating_mul(100) < place.price.saturating_mul(110) {
                return Err("replacement transaction underpriced");
            }
            *place = tx.clone();
            return Ok(());
        }
        self.pool.push(tx.clone());
        Ok(())
    }

    pub(crate) fn quiet(&mut self) {
        self.lag = 0;
        self.base_fee = QUIET_FEE;
    }
}

impl Block {
    fn log(&mut self, tx_hash: B256, events: Vec<(Address, Event)>) {
        for (address, event) in events {
            let log = Log {
                address,
                topics: Vec::new(),
                data: Bytes::default(),
                block_number: self.number,
                block_hash: self.hash,
                tx_hash,
                tx_index: 0,
                log_index: self.events.len() as u64,
            };
            self.events.push((log, event));
        }
    }
}

/// Base coin for all that a run brings, and for the first steps of one or two requests.
pub(crate) const RICH: u64 = 1_000_000_000_000_000;
/// See [`RICH`].
pub(crate) const POOR: u64 = 70_000_000;
/// What a worker has of base tokens, for the bounties of stakes.
pub(crate) const WORKER_TOKENS: u64 = 100_000;
/// More than all requests of a run move.
const PLENTY: u64 = 1_000_000_000;

/// A chain before its first request. Those who ask have what they ask to move; what target legs pay from is there.
pub(crate) fn endowed(side: Side, workers: &[Address], coins: u64) -> State {
    let bounty = names::BOUNTY * names::bounty_unit(outgoing(side));
    let mut state = State { bounty, ..State::default() };
    for worker in workers {
        state.fund(*worker, coins);
    }
    for sender in (0..names::SENDERS).map(names::sender) {
        state.give(names::gateways().escrowed_token(outgoing(side)), sender, PLENTY);
    }
    let (token, payer) = names::payer(incoming(side));
    state.give(token, payer, PLENTY);
    if side == Side::Origin {
        for worker in workers {
            state.give(names::bounty_token(Kind::Stake), *worker, WORKER_TOKENS);
        }
    }
    state
}
