//! Two machines, the gate and two chains in a box, driven by one seed: for tests.

use super::*;
use facilitator_eth::{Address, B256};
use facilitator_protocol::model::Side;
use std::collections::VecDeque;

/// SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    pub(super) fn chance(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }
}

pub(super) fn settings() -> Settings {
    Settings { slots_per_epoch: 4, ..Settings::default() }
}

fn word(tag: u8, side: Side, number: u64) -> B256 {
    let mut word = [tag; 32];
    word[0] = match side {
        Side::Origin => 1,
        Side::Auxiliary => 2,
    };
    word[24..].copy_from_slice(&number.to_be_bytes());
    B256(word)
}

pub(super) fn block(side: Side, number: u64) -> Checkpoint {
    Checkpoint { number, hash: word(7, side, number), state_root: word(8, side, number) }
}

pub(super) fn root(side: Side, number: u64, anchored_in: u64) -> AnchoredRoot {
    AnchoredRoot { anchor: Address([9; 20]), number, root: block(side, number).state_root, anchored_in }
}

pub(super) fn false_root(side: Side, number: u64, anchored_in: u64) -> AnchoredRoot {
    AnchoredRoot { root: word(66, side, number), ..root(side, number, anchored_in) }
}

enum ToParent {
    Said(Said),
    Ended,
}

/// One chain with its scanner.
pub(super) struct Lane {
    pub(super) machine: Option<Machine>,
    pub(super) head: u64,
    /// Below the head; `None`: the node has no such tag.
    pub(super) finality: Option<u64>,
    pub(super) confirmations: u64,
    pub(super) next: u64,
    /// Blocks read in one step.
    pub(super) rate: u64,
    pub(super) connector: Connector,
    pub(super) state_there: bool,
    /// Whether look-ups succeed.
    pub(super) answers: bool,
    /// Roots of this chain's blocks, anchored on the other one.
    pub(super) anchored: Vec<AnchoredRoot>,
    pub(super) effects: Vec<(u64, Effect)>,
    pub(super) lives: u64,
    up: VecDeque<(u64, ToParent)>,
    down: VecDeque<(u64, Relayed)>,
    look_ups: Vec<(u64, LookUpNo, LookUp)>,
    told: Option<(ChainView, Connector)>,
    /// Since when its machine does not work.
    pub(super) idle_since: Option<u64>,
}

/// What was anchored when the coordinator went to compare: no round may end in work over a false one of these.
struct Snapshot {
    round: Option<Round>,
    checkpoint: u64,
    roots: [(Side, Vec<AnchoredRoot>); 2],
}

pub(super) struct World {
    snapshots: Vec<Snapshot>,
    pub(super) now: u64,
    pub(super) rng: Rng,
    pub(super) settings: Settings,
    pub(super) gate: PairGate,
    pub(super) turns: Vec<(u64, bool)>,
    pub(super) origin: Lane,
    pub(super) auxiliary: Lane,
    /// Messages lost on either half of the way, in a thousand.
    pub(super) loss: u64,
    /// Longest way of half a relay, milliseconds.
    pub(super) delay: u64,
}

impl Lane {
    fn new(head: u64) -> Self {
        Self {
            machine: None,
            head,
            finality: Some(8),
            confirmations: 2,
            next: 0,
            rate: 10,
            connector: Connector::AtHead,
            state_there: true,
            answers: true,
            anchored: Vec::new(),
            effects: Vec::new(),
            lives: 0,
            up: VecDeque::new(),
            down: VecDeque::new(),
            look_ups: Vec::new(),
            told: None,
            idle_since: Some(0),
        }
    }

    pub(super) fn view(&self) -> ChainView {
        let finalized = self.finality.map(|depth| self.head.saturating_sub(depth));
        ChainView { next: self.next, head: self.head, finalized }
    }

    pub(super) fn stage(&self) -> Option<Stage> {
        self.machine.as_ref().map(Machine::stage)
    }

    /// The stages entered, in order.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let stage = |(_, effect): &(u64, Effect)| {
            if let Effect::EnterStage { standing, .. } = effect { Some(standing.stage) } else { None }
        };
        self.effects.iter().filter_map(stage).collect()
    }

    pub(super) fn alarms(&self) -> Vec<String> {
        let alarm = |(_, effect): &(u64, Effect)| {
            if let Effect::Critical(text) = effect { Some(text.clone()) } else { None }
        };
        self.effects.iter().filter_map(alarm).collect()
    }

    /// When readiness attempts were logged.
    pub(super) fn attempts(&self) -> Vec<u64> {
        let at = |(at, effect): &(u64, Effect)| {
            let is_attempt = matches!(effect, Effect::Log(_, text) if text.starts_with("readiness attempt"));
            is_attempt.then_some(*at)
        };
        self.effects.iter().filter_map(at).collect()
    }
}

impl World {
    pub(super) fn new(seed: u64, origin_head: u64, auxiliary_head: u64) -> Self {
        Self {
            now: 1_000,
            rng: Rng(seed),
            settings: settings(),
            gate: PairGate::new(3, 1406),
            turns: Vec::new(),
            snapshots: Vec::new(),
            origin: Lane::new(origin_head),
            auxiliary: Lane::new(auxiliary_head),
            loss: 0,
            delay: 20,
        }
    }

    pub(super) fn lane(&mut self, side: Side) -> &mut Lane {
        match side {
            Side::Origin => &mut self.origin,
            Side::Auxiliary => &mut self.auxiliary,
        }
    }

    pub(super) fn start(&mut self, side: Side) {
        let (now, settings) = (self.now, self.settings);
        let (chain_id, other_id) = match side {
            Side::Origin => (3, 1406),
            Side::Auxiliary => (1406, 3),
        };
        let lane = self.lane(side);
        assert!(lane.machine.is_none());
        lane.lives += 1;
        let chain = Chain { side, chain_id, other_id, confirmations: lane.confirmations, life: now };
        let (machine, effects) = Machine::begin(settings, chain, lane.next, now);
        lane.machine = Some(machine);
        lane.told = None;
        self.carry_out(side, effects);
    }

    /// What it said before it died still arrives; what it did not hear is gone.
    pub(super) fn kill(&mut self, side: Side) {
        let now = self.now;
        let lane = self.lane(side);
        lane.machine = None;
        lane.idle_since.get_or_insert(now);
        lane.look_ups.clear();
        lane.down.clear();
        let due = lane.up.back().map_or(now, |(due, _)| *due).max(now);
        lane.up.push_back((due, ToParent::Ended));
    }

    /// Lets time pass in small steps.
    pub(super) fn run(&mut self, ms: u64) {
        for _ in 0..ms / 50 {
            self.step();
        }
    }

    pub(super) fn run_until(&mut self, most_ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        for _ in 0..most_ms / 50 {
            if done(self) {
                return true;
            }
            self.step();
        }
        done(self)
    }

    pub(super) fn both_work(&self) -> bool {
        let works = |lane: &Lane| lane.stage() == Some(Stage::Working);
        self.gate.is_open() && works(&self.origin) && works(&self.auxiliary)
    }

    pub(super) fn step(&mut self) {
        self.now += 50;
        for side in [Side::Origin, Side::Auxiliary] {
            self.tell(side);
            self.scan(side);
            self.answer(side);
            self.deliver_up(side);
            self.deliver_down(side);
            self.feed(side, Event::Tick);
        }
        self.check();
    }

    fn tell(&mut self, side: Side) {
        let lane = self.lane(side);
        let (view, connector) = (lane.view(), lane.connector.clone());
        let told = lane.told.replace((view, connector.clone()));
        if told.as_ref().is_none_or(|told| told.1 != connector) {
            self.feed(side, Event::Connector(connector));
        }
        if told.is_none_or(|told| told.0 != view) {
            self.feed(side, Event::Chain(view));
        }
    }

    fn scan(&mut self, side: Side) {
        let lane = self.lane(side);
        let firm = lane.head.checked_sub(lane.confirmations);
        if lane.machine.is_some()
            && let Some(firm) = firm
            && lane.next <= firm
        {
            lane.next = (lane.next + lane.rate).min(firm + 1);
        }
        self.tell(side);
    }

    fn answer(&mut self, side: Side) {
        let now = self.now;
        let lane = self.lane(side);
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut lane.look_ups).into_iter().partition(|l| l.0 <= now);
        lane.look_ups = later;
        for (_, no, look_up) in due {
            let found = if self.lane(side).answers { Ok(self.find(side, look_up)) } else { Err("down".to_owned()) };
            self.feed(side, Event::Found(no, found));
        }
    }

    fn find(&mut self, side: Side, look_up: LookUp) -> Finding {
        match look_up {
            LookUp::Roots { whose, limit } => {
                let mut roots = match whose {
                    Whose::Own => self.lane(side).anchored.clone(),
                    Whose::Other => self.lane(side.other()).anchored.clone(),
                };
                roots.sort_by_key(|root| std::cmp::Reverse(root.number));
                roots.truncate(limit);
                Finding::Roots(roots)
            }
            LookUp::Blocks(numbers) => {
                let head = self.lane(side).head;
                let facts = |number: u64| BlockFacts { block: block(side, number), stored: None };
                Finding::Blocks(numbers.into_iter().filter(|number| *number <= head).map(facts).collect())
            }
            LookUp::State(_) => Finding::State(self.lane(side).state_there),
        }
    }

    fn deliver_up(&mut self, side: Side) {
        let now = self.now;
        while self.lane(side).up.front().is_some_and(|(due, _)| *due <= now) {
            let effects = match self.lane(side).up.pop_front() {
                Some((_, ToParent::Said(said))) => self.gate.heard(side, said),
                Some((_, ToParent::Ended)) => self.gate.ended(side),
                None => return,
            };
            for effect in effects {
                match effect {
                    GateEffect::Open => {
                        self.turns.push((self.now, true));
                        self.check_round();
                    }
                    GateEffect::Close { why } => {
                        assert!(why.starts_with("synchronization: "), "{why}");
                        self.turns.push((self.now, false));
                    }
                    GateEffect::Relay(to, relayed) => {
                        if self.lane(to).machine.is_some() && !self.is_lost() {
                            let behind = self.lane(to).down.back().map(|(due, _)| *due);
                            let due = self.due(behind);
                            self.lane(to).down.push_back((due, relayed));
                        }
                    }
                }
            }
        }
    }

    fn deliver_down(&mut self, side: Side) {
        let now = self.now;
        while self.lane(side).down.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, relayed)) = self.lane(side).down.pop_front() {
                self.feed(side, Event::Relayed(relayed));
            }
        }
    }

    fn is_lost(&mut self) -> bool {
        let loss = self.loss;
        self.rng.chance(loss)
    }

    /// In the order of sending.
    fn due(&mut self, behind: Option<u64>) -> u64 {
        (self.now + self.rng.below(self.delay + 1)).max(behind.unwrap_or(0))
    }

    pub(super) fn feed(&mut self, side: Side, event: Event) {
        let now = self.now;
        if let Some(machine) = &mut self.lane(side).machine {
            let effects = machine.on(now, event);
            self.carry_out(side, effects);
        }
    }

    fn carry_out(&mut self, side: Side, effects: Vec<Effect>) {
        let now = self.now;
        for effect in effects {
            self.lane(side).effects.push((now, effect.clone()));
            match effect {
                Effect::Say(said) => {
                    if !self.is_lost() {
                        let behind = self.lane(side).up.back().map(|(due, _)| *due);
                        let due = self.due(behind);
                        self.lane(side).up.push_back((due, ToParent::Said(said)));
                    }
                }
                Effect::LookUp(no, look_up) => {
                    let due = now + self.rng.below(300);
                    self.lane(side).look_ups.push((due, no, look_up));
                }
                Effect::ResumeWork => self.lane(side).idle_since = None,
                Effect::PauseWork { .. } => {
                    self.lane(side).idle_since.get_or_insert(now);
                }
                Effect::EnterStage { standing, .. } if side == Side::Origin && standing.stage == Stage::HeadSync => {
                    let of = |side: Side, lane: &Lane| (side, lane.anchored.clone());
                    self.snapshots.push(Snapshot {
                        round: standing.round,
                        checkpoint: standing.last_coord.unwrap(),
                        roots: [of(Side::Origin, &self.origin), of(Side::Auxiliary, &self.auxiliary)],
                    });
                }
                Effect::EnterStage { .. } | Effect::Log(..) | Effect::Critical(_) => {}
            }
        }
    }

    /// What must hold when work begins: nothing false was there to be compared, from the checkpoint on.
    fn check_round(&self) {
        let round = self.gate.standing(Side::Origin).unwrap().round;
        let snapshot = self.snapshots.iter().find(|snapshot| snapshot.round == round).expect("a compared round");
        for (side, roots) in &snapshot.roots {
            let from = match side {
                Side::Origin => snapshot.checkpoint,
                Side::Auxiliary => self.auxiliary.view().finalized.unwrap_or(0),
            };
            for known in roots.iter().filter(|known| known.number >= from.max(1)) {
                assert_eq!(known.root, root(*side, known.number, 0).root, "opened over the false root of {known:?}");
            }
        }
    }

    /// What must hold at every moment.
    fn check(&self) {
        let standing = |side| self.gate.standing(side);
        if self.gate.is_open() {
            let rounds: Vec<Option<Round>> = Side::ALL
                .iter()
                .filter_map(|side| standing(*side))
                .filter(|standing| standing.stage == Stage::Working)
                .map(|standing| standing.round)
                .collect();
            assert!(matches!(rounds[..], [Some(a), Some(b)] if a == b), "open without both in one round: {rounds:?}");
            assert_eq!(self.gate.refusal(), None);
        } else {
            assert!(self.gate.refusal().is_some_and(|text| text.starts_with("synchronization: ")));
        }
        for lane in [&self.origin, &self.auxiliary] {
            let works = lane.stage() == Some(Stage::Working);
            assert_eq!(works, lane.idle_since.is_none(), "PauseWork and ResumeWork follow the stage");
            // Nothing but the way to the parent keeps the gate open.
            if let Some(since) = lane.idle_since
                && self.loss == 0
                && self.gate.is_open()
            {
                assert!(self.now <= since + self.delay + 100, "idle since {since}, open at {}", self.now);
            }
        }
    }
}
