//! What goes wrong while the weather is bad: deaths and pauses, a lost or full disk, a clock that jumps, forks, forgetful
//! and lagging nodes, dear gas, a key that others use, terms that change.

use crate::chain::{Author, Tx};
use crate::deeds::Change;
use crate::disk::Disk;
use crate::names::{self, Pair};
use crate::parent::Letter;
use crate::run::{Place, Run};
use crate::state::outgoing;
use crate::world::{DiskState, SIDES, World};
use facilitator_eth::{Bytes, U256, keccak256};
use facilitator_protocol::model::Side;
use std::rc::Rc;

impl Run {
    /// Something goes wrong.
    pub(crate) fn trouble(&mut self) {
        let (chosen, side, dead_write) = {
            let world = &mut *self.world.borrow_mut();
            (world.rng.below(1_000), SIDES[world.rng.index(2)], world.mutation.lets_the_dead_write())
        };
        match chosen {
            // What a sender writes that is taken for dead is what is to be found out: it happens more often then.
            320..620 if dead_write => self.kill_sender(side),
            0..50 => self.kill_parent(),
            50..60 => self.lose_database(),
            60..130 => self.kill_scanner(side),
            130..320 => self.kill_sender(side),
            320..480 => self.kill_worker(),
            480..560 => self.stop(side),
            560..620 => self.trouble_the_disk(),
            620..650 => self.turn_the_clock(),
            650..740 => self.reorg(side),
            740..820 => self.lose_pool(side),
            820..850 => self.use_our_key(side),
            850..880 => self.change(side),
            880..940 => {
                let mut world = self.world.borrow_mut();
                world.chains[side].lag = world.rng.below(3);
            }
            _ => {
                let mut world = self.world.borrow_mut();
                world.chains[side].base_fee = [10, 10, 12, 30, 100, 1_500][world.rng.index(6)];
            }
        }
    }

    /// The file is gone, and every process with it: what follows begins with the chains and the keys alone.
    fn lose_database(&mut self) {
        self.kill_parent();
        self.ghost = None;
        let mut world = self.world.borrow_mut();
        world.note(|| "the database is lost".to_owned());
        world.meet("lost database");
        world.disk = Disk::default();
        world.truth.forget();
    }

    /// A process takes no steps for long and then goes on as if nothing were.
    fn stop(&mut self, side: Side) {
        let mut world = self.world.borrow_mut();
        let place = [Place::Parent, Place::Scanner(side), Place::Sender(side), Place::Workers][world.rng.index(4)];
        let until = world.step + 20 + world.rng.below(150);
        world.meet("pause");
        world.note(|| format!("SIGSTOP: {place:?} until step {until}"));
        self.stopped.insert(place, until);
    }

    /// Full or read-only for a while; then well again.
    fn trouble_the_disk(&mut self) {
        let mut world = self.world.borrow_mut();
        world.disk_state = match (world.disk_state, world.rng.below(3)) {
            (DiskState::Well, 0 | 1) => DiskState::Full,
            (DiskState::Well, _) => DiskState::ReadOnly,
            (DiskState::Full | DiskState::ReadOnly, _) => DiskState::Well,
        };
        let state = world.disk_state;
        match state {
            DiskState::Full => world.meet("full disk"),
            DiskState::ReadOnly => world.meet("read-only database"),
            DiskState::Well => {}
        }
        world.note(|| format!("the disk is {state:?}"));
    }

    /// Somebody sets the wall clock: hours forward, or back by less than any pause is long.
    fn turn_the_clock(&mut self) {
        let mut world = self.world.borrow_mut();
        let by = if world.rng.chance(500) { world.rng.below(10_000_000) } else { world.rng.below(20_000) };
        let by = i64::try_from(by).unwrap_or(0);
        let by = if by < 20_000 { -by } else { by };
        world.skew_ms += by;
        world.meet("clock jump");
        world.note(|| format!("the wall clock jumps by {by} ms"));
    }

    /// Another program, or the operator by hand, sends a transaction from one of our accounts.
    fn use_our_key(&mut self, side: Side) {
        let mut guard = self.world.borrow_mut();
        let world = &mut *guard;
        let from = world.workers[side][world.rng.index(world.workers[side].len())];
        let chain = &mut world.chains[side];
        let pooled = chain.pool.iter().filter(|tx| tx.from == from).map(|tx| tx.nonce + 1).max();
        let nonce = pooled.unwrap_or(0).max(chain.state().nonce(from));
        self.changes += 1;
        let hash = keccak256([b"foreign".as_slice(), &self.changes.to_be_bytes()].concat());
        let (intent, author, to) = ("a foreign one".to_owned(), Author::Foreign, from);
        let (value, data) = (U256::ZERO, Bytes::default());
        chain.pool.push(Rc::new(Tx { hash, author, intent, from, nonce, to, value, data, price: 2_000 }));
        world.meet("foreign use of a key");
        world.note(|| format!("{side}: somebody else uses our key with nonce {nonce}"));
    }

    /// The bounty, a whitelist or a proxy changes.
    fn change(&mut self, side: Side) {
        let mut guard = self.world.borrow_mut();
        let world = &mut *guard;
        self.changes += 1;
        let number = self.changes;
        let change = match world.rng.below(3) {
            0 => {
                let unit = names::bounty_unit(outgoing(side));
                Change::Bounty { number, bounty: unit * [0, 10, 50, 70, 200][world.rng.index(5)] }
            }
            1 => {
                let worker = world.workers[side][world.rng.index(world.workers[side].len())];
                let until = Some(world.chains[side].tip() + world.rng.below(14));
                Change::Whitelist { number, worker, until }
            }
            _ => {
                let Some(asked) = self.known.get(world.rng.index(self.known.len())) else { return };
                if asked.kind.source() != side {
                    return;
                }
                Change::Destroyed { number, sender: asked.sender }
            }
        };
        world.meet(match change {
            Change::Bounty { .. } => "bounty change",
            Change::Whitelist { .. } => "whitelist change",
            Change::Destroyed { .. } => "destroyed proxy",
            Change::Funded { .. } => "funds",
        });
        world.note(|| format!("{side}: {change:?}"));
        world.chains[side].waiting.push(Rc::new(change));
    }

    pub(crate) fn kill_parent(&mut self) {
        let mut world = self.world.borrow_mut();
        world.note(|| "SIGKILL: the parent and all its children".to_owned());
        let until = world.now_ms + 100;
        world.parent.die(until);
        world.births.clear();
        world.finals = Pair::default();
        drop(world);
        (self.scanners, self.senders) = (Pair::default(), Pair::default());
        self.workers.clear();
        self.deaths += 1;
    }

    fn kill_scanner(&mut self, side: Side) {
        let Some((life, _)) = self.scanners[side].take() else { return };
        let mut world = self.world.borrow_mut();
        world.note(|| format!("SIGKILL: the scanner of the {side} chain"));
        world.finals[side] = None;
        world.parent.post(Letter::ScannerEnded(side, life));
        self.deaths += 1;
    }

    fn kill_sender(&mut self, side: Side) {
        let Some((life, task)) = self.senders[side].take() else { return };
        let mut world = self.world.borrow_mut();
        world.parent.post(Letter::SenderEnded(side, life));
        self.deaths += 1;
        // Where no lease stops it, it is what is to be found out.
        let lives_on = if world.mutation.lets_the_dead_write() { 900 } else { 250 };
        if world.rng.chance(lives_on) && self.ghost.is_none() {
            world.note(|| format!("the sender of the {side} chain is taken for dead and is not"));
            self.ghost = Some(task);
        } else {
            world.note(|| format!("SIGKILL: the sender of the {side} chain"));
        }
    }

    fn kill_worker(&mut self) {
        let mut world = self.world.borrow_mut();
        let place = world.rng.index(self.workers.len());
        let Some(number) = self.workers.keys().nth(place).copied() else { return };
        self.workers.remove(&number);
        world.note(|| format!("SIGKILL: worker {number}"));
        world.parent.post(Letter::WorkerEnded(number));
        self.deaths += 1;
    }

    fn reorg(&mut self, side: Side) {
        let mut guard = self.world.borrow_mut();
        let world = &mut *guard;
        let confirmations = world.chains[side].confirmations;
        let beyond = if world.truth.deep && world.rng.chance(500) { 1 + world.rng.below(3) } else { 0 };
        let depth = if beyond > 0 { confirmations + beyond } else { 1 + world.rng.below(confirmations) };
        let before = world.chains[side].tip();
        world.note(|| format!("{side}: reorg of {depth} blocks under {before}"));
        world.meet("reorg");
        let World { chains, roots, rng, truth, .. } = world;
        chains[side].reorg(depth, roots, rng, 200);
        truth.forked(&chains[side]);
        world.mined(side);
    }

    fn lose_pool(&mut self, side: Side) {
        let mut guard = self.world.borrow_mut();
        let World { chains, rng, .. } = &mut *guard;
        let before = chains[side].pool.len();
        chains[side].pool.retain(|_| rng.chance(500));
        let lost = before - chains[side].pool.len();
        guard.note(|| format!("{side}: the node forgets {lost} transactions"));
    }
}
