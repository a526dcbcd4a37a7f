//! One chain's stages: what both chains of a pair have in common. The two sides of the handshake are `coordinator` and
//! `follower`.

use super::coordinator::Coordinator;
use super::event::{ChainView, Connector, Effect, Event, Finding, Level, LookUp, LookUpNo};
use super::follower::Follower;
use super::message::{PeerMessage, Refusal, Relayed, Round, Said, Stage, Standing};
use super::settings::Settings;
use facilitator_protocol::model::Side;
use std::mem;

/// Which chain a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The origin chain coordinates, the auxiliary chain follows.
    pub side: Side,
    /// Its id, for texts.
    pub chain_id: u64,
    /// The other chain's id, for texts.
    pub other_id: u64,
    /// Blocks behind the head from which on a block is read.
    pub confirmations: u64,
    /// A number that no other life of this chain's scanner has, e.g. when it began.
    pub life: u64,
}

/// The machine of one chain, from the start of its scanner to its end.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) chain: Chain,
    pub(super) now: u64,
    pub(super) stage: Stage,
    /// The handshake under way or agreed.
    pub(super) round: Option<Round>,
    pub(super) last_coord: Option<u64>,
    view: Option<ChainView>,
    connector: Connector,
    next: u64,
    starting_block: u64,
    target: Option<u64>,
    since_ms: u64,
    ready_since_ms: Option<u64>,
    pub(super) last_error: Option<String>,
    report_at: u64,
    look_ups: u64,
    pub(super) failures: u32,
    /// The alarm that was raised last, so that it is raised once.
    pub(super) alarmed: Option<String>,
    hand: Hand,
    pub(super) out: Vec<Effect>,
}

/// The side of the handshake. Taken out while its code runs.
#[derive(Debug, Clone)]
enum Hand {
    Coordinator(Coordinator),
    Follower(Follower),
}

impl Machine {
    /// Begins in checkpoint-sync. `next` is the first block whose events are not yet stored: after a restart the one
    /// behind the database's checkpoint.
    #[must_use]
    pub fn begin(settings: Settings, chain: Chain, next: u64, now_ms: u64) -> (Self, Vec<Effect>) {
        let hand = match chain.side {
            Side::Origin => Hand::Coordinator(Coordinator::default()),
            Side::Auxiliary => Hand::Follower(Follower::default()),
        };
        let mut machine = Self {
            settings,
            chain,
            now: now_ms,
            stage: Stage::CheckpointSync,
            round: None,
            last_coord: None,
            view: None,
            connector: Connector::Behind,
            next,
            starting_block: next,
            target: None,
            since_ms: now_ms,
            ready_since_ms: None,
            last_error: None,
            report_at: now_ms,
            look_ups: 0,
            failures: 0,
            alarmed: None,
            hand,
            out: Vec::new(),
        };
        machine.entered(Stage::CheckpointSync, "the scanner has started".to_owned());
        let effects = mem::take(&mut machine.out);
        (machine, effects)
    }

    /// The present stage.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// How the chain stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let firm = self.firm();
        Standing {
            stage: self.stage,
            round: self.round,
            starting_block: self.starting_block,
            current_block: self.next.checked_sub(1),
            highest_block: match self.stage {
                Stage::Resync | Stage::CheckpointSync => self.target.or(firm),
                Stage::DagSync | Stage::HeadSyncReady | Stage::HeadSync | Stage::Working => firm,
            },
            last_coord: self.last_coord,
            max_block: self.view.map(|view| view.head),
            since_ms: self.since_ms,
            ready_since_ms: self.ready_since_ms,
            last_error: self.last_error.clone(),
        }
    }

    /// Takes an event and says what is to be done, in this order. `now_ms` are milliseconds of a clock that never goes
    /// back, e.g. Unix time at the start and what has passed since.
    #[must_use]
    pub fn on(&mut self, now_ms: u64, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now_ms);
        match event {
            Event::Tick => {}
            Event::Chain(view) => {
                self.next = view.next;
                self.view = Some(view);
            }
            Event::Connector(connector) => {
                if let Connector::Halted(why) = &connector {
                    self.last_error = Some(why.clone());
                }
                self.connector = connector;
            }
            Event::Relayed(Relayed::Peer(peer)) => self.with_hand(|machine, hand| match hand {
                Hand::Coordinator(hand) => hand.hear(machine, peer),
                Hand::Follower(hand) => hand.hear(machine, peer),
            }),
            Event::Relayed(Relayed::Message(message)) => self.with_hand(|machine, hand| match hand {
                Hand::Coordinator(hand) => hand.message(machine, message),
                Hand::Follower(hand) => hand.message(machine, message),
            }),
            Event::Found(no, found) => self.found(no, found),
        }
        match self.must_begin_anew() {
            Some(why) => {
                self.hand.reset();
                self.leave_for(Stage::Resync, why);
            }
            None => self.advance(),
        }
        self.with_hand(|machine, hand| match hand {
            Hand::Coordinator(hand) => hand.tick(machine),
            Hand::Follower(hand) => hand.tick(machine),
        });
        if self.now >= self.report_at {
            self.report();
        }
        mem::take(&mut self.out)
    }

    fn with_hand(&mut self, act: impl FnOnce(&mut Self, &mut Hand)) {
        let mut hand = mem::replace(&mut self.hand, Hand::Follower(Follower::default()));
        act(self, &mut hand);
        self.hand = hand;
    }

    fn found(&mut self, no: LookUpNo, found: Result<Finding, String>) {
        let found = found.map_err(Refusal::LookUp);
        self.with_hand(|machine, hand| match hand {
            Hand::Coordinator(hand) => hand.found(machine, no, found),
            Hand::Follower(hand) => hand.found(machine, no, found),
        });
    }

    /// The newest block with its confirmations.
    fn firm(&self) -> Option<u64> {
        self.view.and_then(|view| view.head.checked_sub(self.chain.confirmations))
    }

    /// Newest block; 0 before any was seen.
    pub(super) fn head(&self) -> u64 {
        self.view.map_or(0, |view| view.head)
    }

    /// The own chain's last finalized block.
    pub(super) fn finalized(&self) -> u64 {
        self.view.map_or(0, |view| self.settings.finalized(view.head, view.finalized))
    }

    /// Why a chain that had caught up has not any more.
    fn must_begin_anew(&self) -> Option<String> {
        if self.stage.is_catching_up() {
            return None;
        }
        if let Connector::Halted(why) = &self.connector {
            return Some(why.clone());
        }
        let view = self.view?;
        // Blocks without their confirmations are not missed yet.
        let synced = view.next.saturating_add(self.chain.confirmations).saturating_sub(1).min(view.head);
        let behind = self.settings.is_behind(synced, view.head);
        behind.then(|| {
            let epochs = self.settings.epoch(view.head) - self.settings.epoch(synced);
            format!("fell {epochs} epochs behind: followed up to block {synced}, the head is {}", view.head)
        })
    }

    /// Goes on as far as what was read allows.
    fn advance(&mut self) {
        loop {
            let (stage, why) = match self.stage {
                Stage::Resync => match &self.connector {
                    Connector::Halted(_) => return,
                    Connector::Behind | Connector::AtHead => {
                        self.target = None;
                        self.starting_block = self.next;
                        (Stage::CheckpointSync, format!("goes on at block {}", self.next))
                    }
                },
                Stage::CheckpointSync => {
                    if self.view.is_none() {
                        return;
                    }
                    let firm = self.firm();
                    // Where finality outruns the confirmations asked for, the confirmations decide.
                    let target = firm.map(|firm| self.target.unwrap_or_else(|| self.finalized()).min(firm));
                    self.target = self.target.or(target);
                    if target.is_some_and(|target| self.next <= target) {
                        return;
                    }
                    let up_to = target.unwrap_or(0);
                    (Stage::DagSync, format!("everything up to the finalized block {up_to} is read"))
                }
                Stage::DagSync => {
                    let at_head = self.firm().is_none_or(|firm| self.next > firm);
                    if !at_head || self.connector != Connector::AtHead {
                        return;
                    }
                    (Stage::HeadSyncReady, format!("has come to the head {}", self.head()))
                }
                Stage::HeadSyncReady | Stage::HeadSync | Stage::Working => return,
            };
            self.enter(stage, why);
        }
    }

    /// Goes on to a stage.
    pub(super) fn enter(&mut self, stage: Stage, why: String) {
        let from = mem::replace(&mut self.stage, stage);
        self.since_ms = self.now;
        match stage {
            Stage::Resync | Stage::CheckpointSync | Stage::DagSync => {
                self.round = None;
                self.ready_since_ms = None;
            }
            Stage::HeadSyncReady => {
                self.round = None;
                self.ready_since_ms = Some(self.now);
            }
            Stage::HeadSync => {}
            Stage::Working => {
                self.last_error = None;
                self.failures = 0;
                self.alarmed = None;
            }
        }
        self.entered(from, why);
    }

    /// Goes back to a stage, because of `why`. The caller has forgotten its handshake.
    pub(super) fn leave_for(&mut self, stage: Stage, why: String) {
        self.last_error = Some(why.clone());
        self.enter(stage, why);
    }

    /// Whoever stops working says so before anything else; whoever begins has stored it first.
    fn entered(&mut self, from: Stage, why: String) {
        if from == Stage::Working {
            self.out.push(Effect::PauseWork { why: why.clone() });
            self.report();
        }
        self.out.push(Effect::EnterStage { from, standing: self.standing(), why });
        if self.stage == Stage::Working {
            self.out.push(Effect::ResumeWork);
        }
        if from != Stage::Working {
            self.report();
        }
    }

    fn report(&mut self) {
        self.report_at = self.now.saturating_add(self.settings.head_sync_ready_interval_ms);
        let standing = self.standing();
        self.out.push(Effect::Say(Said::Standing(standing)));
    }

    pub(super) fn send(&mut self, message: PeerMessage) {
        self.out.push(Effect::Say(Said::Message(message)));
    }

    pub(super) fn log(&mut self, level: Level, text: String) {
        self.out.push(Effect::Log(level, text));
    }

    pub(super) fn look_up(&mut self, look_up: LookUp) -> LookUpNo {
        self.look_ups += 1;
        let no = LookUpNo(self.look_ups);
        self.out.push(Effect::LookUp(no, look_up));
        no
    }

    /// Whether a step that began then has gone on for too long.
    pub(super) const fn has_lapsed(&self, since: u64) -> bool {
        self.now.saturating_sub(since) >= self.settings.timeout_ms()
    }
}

impl Hand {
    fn reset(&mut self) {
        match self {
            Self::Coordinator(hand) => hand.reset(),
            Self::Follower(hand) => hand.reset(),
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
