//! What strangers do of their own accord: who asks for what, takes it back, accepts before us, anchors, whitelists.

use crate::deeds::{Anchored, Asked, By, Change, Finished, Snatched, TakenBack, Trait};
use crate::names;
use crate::run::{Run, STORM};
use crate::state::outgoing;
use crate::world::{SIDES, World};
use facilitator_protocol::model::{Kind, MessageStatus, Side};
use std::rc::Rc;

/// Who asks for what, and at which step; with `only`, for nothing of the other direction.
pub(crate) fn wishes(world: &mut World, only: Option<Kind>) -> Vec<(u64, Asked)> {
    let rng = &mut world.rng;
    let count = 1 + rng.below(4);
    let wish = |number: u64, rng: &mut crate::rng::Rng| {
        let kind = if rng.chance(500) { Kind::Stake } else { Kind::Redeem };
        let kind = only.unwrap_or(kind);
        let special = match rng.below(12) {
            0 => Trait::Cheap,
            1 => Trait::Foreign,
            2 if kind == Kind::Redeem => Trait::Nobody,
            _ => Trait::Ordinary,
        };
        (
            rng.below(STORM / 2),
            Asked { number, kind, sender: names::sender(rng.below(names::SENDERS)), special, amount_of: number },
        )
    };
    let mut wishes: Vec<(u64, Asked)> = (0..count).map(|number| wish(number, rng)).collect();
    if rng.chance(200) {
        // The same once more, which has the same hash if the nonce is the same by then.
        let (at, asked) = wishes[rng.index(wishes.len())].clone();
        wishes.push((at + rng.below(STORM / 2), Asked { number: count, ..asked }));
    }
    wishes.sort_by_key(|(at, asked)| (*at, asked.number));
    wishes
}

impl Run {
    /// The organization whitelists the operator's workers again, and the operator sends them what they lack.
    pub(crate) fn mend(&mut self) {
        let mut world = self.world.borrow_mut();
        for side in SIDES {
            for worker in world.workers[side].clone() {
                self.changes += 1;
                let change = Change::Whitelist { number: self.changes, worker, until: None };
                world.chains[side].waiting.push(Rc::new(change));
                if world.poor {
                    self.changes += 1;
                    let change = Change::Funded { number: self.changes, worker };
                    world.chains[side].waiting.push(Rc::new(change));
                }
            }
        }
        if world.poor {
            world.meet("poor workers");
        }
    }

    /// Whose proxy is gone can't be served: the sender notices and takes the request back.
    pub(crate) fn free_the_orphaned(&self) {
        let mut world = self.world.borrow_mut();
        for asked in &self.known {
            let side = asked.kind.source();
            let state = world.chains[side].state();
            let pending = state.pending.contains_key(&(asked.sender, asked.gateway()));
            if pending && state.proxy(asked.sender).is_none() && world.chains[side].waiting.len() < 16 {
                world.chains[side].waiting.push(Rc::new(TakenBack(asked.clone(), By::Sender)));
            }
        }
    }

    /// Stakers ask when their time has come.
    pub(crate) fn ask(&mut self) {
        let mut world = self.world.borrow_mut();
        while self.wishes.first().is_some_and(|(at, _)| *at <= world.step) {
            let (_, asked) = self.wishes.remove(0);
            self.asked += 1;
            let source = asked.kind.source();
            world.note(|| format!("{source}: {asked:?}"));
            if world.rng.chance(150) {
                // At once, or while it is being accepted.
                let at = world.step + world.rng.below(200);
                let by = if world.rng.chance(250) { By::Worker } else { By::Sender };
                self.plans.push((at, source, Rc::new(TakenBack(asked.clone(), by))));
            }
            if world.rng.chance(80) {
                let at = world.step + world.rng.below(200);
                self.plans.push((at, source, Rc::new(Snatched(asked.clone()))));
            }
            if asked.amount_of != asked.number && world.rng.chance(500) {
                world.chains[source].waiting.insert(0, Rc::new(TakenBack(asked.clone(), By::Sender)));
            }
            self.known.push(asked.clone());
            world.chains[source].waiting.push(Rc::new(asked));
        }
        let step = world.step;
        for (_, side, deed) in self.plans.extract_if(.., |(at, ..)| *at <= step) {
            world.note(|| format!("{side}: {deed:?}"));
            world.chains[side].waiting.push(deed);
        }
    }

    pub(crate) fn strangers(&mut self) {
        let side = SIDES[self.world.borrow_mut().rng.index(2)];
        self.finish_foreign();
        self.anchor(side);
    }

    /// The organization anchors on `side` the newest block of the other chain that it takes for final.
    pub(crate) fn anchor(&self, side: Side) {
        let mut world = self.world.borrow_mut();
        let other = &world.chains[side.other()];
        let hasty = world.truth.deep;
        let height = if hasty { Some(other.tip()) } else { other.final_height() };
        let Some(snapshot) = height.and_then(|height| other.snapshot(height)).filter(|block| block.height > 0) else {
            return;
        };
        let (height, root) = (snapshot.height, snapshot.root());
        world.roots.insert(root, snapshot);
        let anchor = names::gateways().anchor_on(side);
        world.note(|| format!("{side}: the organization anchors block {height}"));
        world.chains[side].waiting.push(Rc::new(Anchored { anchor, height, root }));
    }

    /// The other facilitator finishes its messages once they are final.
    pub(crate) fn finish_foreign(&self) {
        let mut world = self.world.borrow_mut();
        for side in SIDES {
            let Some(block) = world.chains[side].final_height().and_then(|number| world.chains[side].block(number))
            else {
                continue;
            };
            let source = Rc::clone(&block.state);
            let target = world.chains[side.other()].state();
            let finished = source.outbox.iter().filter(|(_, message)| message.status == MessageStatus::Progressed);
            let theirs = finished.filter(|(hash, _)| target.inbox_status(**hash) == MessageStatus::Undeclared);
            for (number, (hash, message)) in theirs.enumerate() {
                let ours = world.disk.all().any(|request| request.message_hash == Some(*hash));
                let (number, kind) = (number as u64, outgoing(side));
                let again = Finished { number, kind, hash: *hash, message: *message };
                if !ours && world.chains[side.other()].waiting.len() < 16 {
                    world.chains[side.other()].waiting.push(Rc::new(again));
                }
            }
        }
    }
}
