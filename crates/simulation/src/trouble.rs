//! What goes wrong while the weather is bad: deaths, forks, forgetful and lagging nodes, dear gas.

use crate::names::Pair;
use crate::parent::Letter;
use crate::run::Run;
use crate::world::{SIDES, World};
use facilitator_protocol::model::Side;

impl Run {
    /// Something goes wrong.
    pub(crate) fn trouble(&mut self) {
        let (chosen, side) = {
            let rng = &mut self.world.borrow_mut().rng;
            (rng.below(100), SIDES[rng.index(2)])
        };
        match chosen {
            0..6 => self.kill_parent(),
            6..16 => self.kill_scanner(side),
            16..40 => self.kill_sender(side),
            40..60 => self.kill_worker(),
            60..70 => self.reorg(side),
            70..80 => self.lose_pool(side),
            80..90 => {
                let mut world = self.world.borrow_mut();
                world.chains[side].lag = world.rng.below(3);
            }
            _ => {
                let mut world = self.world.borrow_mut();
                world.chains[side].base_fee = [10, 10, 12, 30, 100, 1_500][world.rng.index(6)];
            }
        }
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
        if world.rng.chance(250) && self.ghost.is_none() {
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
