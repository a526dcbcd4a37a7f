//! The coordinator's side of the handshake: asks until the other is ready, hands over its blocks, judges the answer.
//!
//! Invariant: it asks for ever and never ends on what the other says. It works only after every comparison of this
//! round has succeeded on both chains.

use super::compare;
use super::event::{Finding, Level, LookUp, LookUpNo, Whose};
use super::machine::Machine;
use super::message::{Checkpoint, Peer, PeerMessage, Refusal, Round, Stage};
use std::mem;

/// Where the handshake is.
#[derive(Debug, Clone, Default)]
enum Step {
    /// The next attempt comes at its time.
    #[default]
    Idle,
    /// Which own blocks are anchored on the other chain?
    Choosing(LookUpNo),
    /// The block of the checkpoint is being read.
    Reading(LookUpNo, u64),
    /// Is its state still there?
    Probing(LookUpNo, Checkpoint),
    /// The other chain is asked; asked again then.
    Asked { checkpoint: Checkpoint, again_at: u64 },
    /// It is ready: which own blocks are anchored after the checkpoint?
    Gathering(LookUpNo, Checkpoint),
    /// These are being read.
    Listing(LookUpNo, Vec<u64>),
    /// The other chain compares.
    Executing,
    /// Its own blocks are to be compared with the roots anchored here.
    Checking(LookUpNo, Vec<Checkpoint>),
    /// Working; the other chain is told again then, until it works.
    Announcing { again_at: u64 },
    /// Both work.
    Done,
}

/// The coordinator's state.
#[derive(Debug, Clone, Default)]
pub(super) struct Coordinator {
    step: Step,
    /// When the step began.
    since: u64,
    /// Attempts since it became ready.
    attempts: u64,
    /// Handshakes begun.
    rounds: u64,
    next_at: u64,
    /// Last block of the other chain that it said is finalized, when it refused a checkpoint for that. For the next
    /// attempt alone: by the one after that more may be.
    anchored_at_most: Option<u64>,
    /// Whether the follower was ready, or further, when it was last heard of.
    peer_was_ready: bool,
}

impl Coordinator {
    /// Forgets the handshake under way. The timer goes on.
    pub(super) fn reset(&mut self) {
        self.step = Step::Idle;
    }

    const fn round(&self, machine: &Machine) -> Round {
        Round { life: machine.chain.life, number: self.rounds }
    }

    fn set(&mut self, machine: &Machine, step: Step) {
        self.step = step;
        self.since = machine.now;
    }

    /// What is due by the clock.
    pub(super) fn tick(&mut self, machine: &mut Machine) {
        if machine.stage.is_catching_up() {
            return;
        }
        if self.is_under_way() && machine.has_lapsed(self.since) {
            let (other, seconds) = (machine.other(), machine.settings.head_sync_timeout_secs);
            let text = format!("the handshake with {other} did not go on for {seconds} s");
            machine.count_failure(&text);
            self.give_up(machine, Level::Warn, text);
        }
        match self.step {
            Step::Idle => {
                if machine.stage == Stage::HeadSyncReady && machine.now >= self.next_at {
                    self.begin(machine);
                }
            }
            Step::Asked { checkpoint, again_at } => {
                if machine.now >= again_at {
                    self.count_attempt(machine);
                    self.ask(machine, checkpoint);
                }
            }
            Step::Announcing { again_at } => {
                if machine.now >= again_at {
                    self.announce(machine);
                }
            }
            Step::Choosing(_)
            | Step::Reading(..)
            | Step::Probing(..)
            | Step::Gathering(..)
            | Step::Listing(..)
            | Step::Executing
            | Step::Checking(..)
            | Step::Done => {}
        }
    }

    /// Whether somebody's answer is awaited.
    const fn is_under_way(&self) -> bool {
        match self.step {
            Step::Choosing(_)
            | Step::Reading(..)
            | Step::Probing(..)
            | Step::Asked { .. }
            | Step::Gathering(..)
            | Step::Listing(..)
            | Step::Executing
            | Step::Checking(..) => true,
            Step::Idle | Step::Announcing { .. } | Step::Done => false,
        }
    }

    fn begin(&mut self, machine: &mut Machine) {
        self.rounds += 1;
        self.count_attempt(machine);
        let no = machine.look_up(roots(machine, Whose::Own));
        self.set(machine, Step::Choosing(no));
    }

    fn count_attempt(&mut self, machine: &mut Machine) {
        self.attempts += 1;
        self.next_at = machine.now.saturating_add(machine.settings.head_sync_ready_interval_ms);
        let text = format!("readiness attempt {} to {}", self.attempts, machine.other());
        let last = machine.last_error.as_ref().map(|error| format!(", last: {error}"));
        machine.log(Level::Info, text + &last.unwrap_or_default());
    }

    fn ask(&mut self, machine: &mut Machine, checkpoint: Checkpoint) {
        let again_at = self.next_at.max(machine.now.saturating_add(1));
        // The step's clock goes on while the same question is repeated.
        if let Step::Asked { again_at: at, .. } = &mut self.step {
            *at = again_at;
        } else {
            self.set(machine, Step::Asked { checkpoint, again_at });
        }
        machine.send(PeerMessage::HeadSyncReady { round: self.round(machine), checkpoint });
    }

    /// An answer to a look-up.
    pub(super) fn found(&mut self, machine: &mut Machine, no: LookUpNo, found: Result<Finding, Refusal>) {
        let waiting = match &self.step {
            Step::Choosing(waiting)
            | Step::Reading(waiting, _)
            | Step::Probing(waiting, _)
            | Step::Gathering(waiting, _)
            | Step::Listing(waiting, _)
            | Step::Checking(waiting, _) => Some(*waiting),
            Step::Idle | Step::Asked { .. } | Step::Executing | Step::Announcing { .. } | Step::Done => None,
        };
        if waiting != Some(no) {
            return;
        }
        let result = found.and_then(|found| self.go_on(machine, found));
        if let Err(refusal) = result {
            self.refused(machine, &refusal, true);
        }
    }

    fn go_on(&mut self, machine: &mut Machine, found: Finding) -> Result<(), Refusal> {
        match mem::take(&mut self.step) {
            Step::Choosing(_) => {
                let number =
                    compare::choose(&found.roots()?, machine.finalized(), self.anchored_at_most.take()).unwrap_or(0);
                let no = machine.look_up(LookUp::Blocks(vec![number]));
                self.set(machine, Step::Reading(no, number));
            }
            Step::Reading(_, number) => {
                let blocks = compare::blocks(&[number], &found.blocks()?)?;
                let checkpoint = *blocks.first().ok_or(Refusal::BadParams)?;
                if number == 0 {
                    self.ask(machine, checkpoint);
                } else {
                    let no = machine.look_up(LookUp::State(number));
                    self.set(machine, Step::Probing(no, checkpoint));
                }
            }
            Step::Probing(_, checkpoint) => {
                if !found.state()? {
                    return Err(Refusal::StateNotFound);
                }
                self.ask(machine, checkpoint);
            }
            Step::Gathering(_, checkpoint) => {
                let roots = found.roots()?;
                let head = machine.head();
                let numbers = compare::heights(&roots, checkpoint.number, head);
                if let Some(above) = roots.iter().map(|root| root.number).filter(|number| *number > head).max() {
                    let other = machine.other();
                    let text =
                        format!("{other} has a root anchored for block {above}, beyond the head {head}: not compared");
                    machine.log(Level::Warn, text);
                }
                if numbers.is_empty() {
                    self.execute(machine, Vec::new());
                } else {
                    let no = machine.look_up(LookUp::Blocks(numbers.clone()));
                    self.set(machine, Step::Listing(no, numbers));
                }
            }
            Step::Listing(_, numbers) => {
                let items = compare::blocks(&numbers, &found.blocks()?)?;
                self.execute(machine, items);
            }
            Step::Checking(_, items) => {
                compare::compare(machine.chain.side.other(), &items, &found.roots()?)?;
                self.work(machine);
            }
            step @ (Step::Idle | Step::Asked { .. } | Step::Executing | Step::Announcing { .. } | Step::Done) => {
                self.step = step;
            }
        }
        Ok(())
    }

    fn execute(&mut self, machine: &mut Machine, items: Vec<Checkpoint>) {
        let round = self.round(machine);
        machine.log(Level::Info, format!("head-sync {round}: {} anchored roots to compare", items.len()));
        machine.send(PeerMessage::HeadSync { round, items });
        self.set(machine, Step::Executing);
    }

    fn work(&mut self, machine: &mut Machine) {
        self.attempts = 0;
        let round = self.round(machine);
        machine.enter(Stage::Working, format!("agreed with {} in round {round}", machine.other()));
        self.announce(machine);
    }

    fn announce(&mut self, machine: &mut Machine) {
        let again_at = machine.now.saturating_add(machine.settings.head_sync_ready_interval_ms.max(1));
        self.set(machine, Step::Announcing { again_at });
        machine.send(PeerMessage::Working { round: self.round(machine) });
    }

    /// From the follower.
    pub(super) fn message(&mut self, machine: &mut Machine, message: PeerMessage) {
        match message {
            PeerMessage::ReadyReply { round, result } => {
                if round == self.round(machine)
                    && let Step::Asked { checkpoint, .. } = self.step
                {
                    match result {
                        Ok(()) => self.ready(machine, checkpoint),
                        Err(refusal) => self.refused(machine, &refusal, false),
                    }
                }
            }
            PeerMessage::HeadSyncReply { round, result } => {
                if round == self.round(machine) && matches!(self.step, Step::Executing) {
                    match result {
                        Ok(items) => self.judge(machine, items),
                        Err(refusal) => self.refused(machine, &refusal, false),
                    }
                }
            }
            PeerMessage::Working { round } => {
                if round == self.round(machine) && matches!(self.step, Step::Announcing { .. }) {
                    self.step = Step::Done;
                }
            }
            PeerMessage::HeadSyncReady { .. } | PeerMessage::HeadSync { .. } => {
                let other = machine.other();
                machine.log(Level::Warn, format!("{other} does not coordinate; its message is passed over"));
            }
        }
    }

    fn ready(&mut self, machine: &mut Machine, checkpoint: Checkpoint) {
        machine.round = Some(self.round(machine));
        machine.last_coord = Some(checkpoint.number);
        machine.enter(Stage::HeadSync, format!("{} is ready from block {}", machine.other(), checkpoint.number));
        let no = machine.look_up(roots(machine, Whose::Own));
        self.set(machine, Step::Gathering(no, checkpoint));
    }

    fn judge(&mut self, machine: &mut Machine, mut items: Vec<Checkpoint>) {
        match compare::tidy(&mut items) {
            Err(refusal) => self.refused(machine, &refusal, true),
            Ok(_) if items.is_empty() => self.work(machine),
            Ok(_) => {
                let no = machine.look_up(roots(machine, Whose::Other));
                self.set(machine, Step::Checking(no, items));
            }
        }
    }

    /// `here`: found by this side, which then raises the alarm; otherwise the other one has.
    fn refused(&mut self, machine: &mut Machine, refusal: &Refusal, here: bool) {
        let text = if here { refusal.to_string() } else { format!("{}: {refusal}", machine.other()) };
        match refusal {
            Refusal::Differs(_) if here => machine.alarm(&text),
            Refusal::NotFinalized { finalized } => self.anchored_at_most = Some(*finalized),
            Refusal::BadParams
            | Refusal::UnknownSpineHash
            | Refusal::BadNumber
            | Refusal::StateNotFound
            | Refusal::Locked
            | Refusal::Busy
            | Refusal::NotReady
            | Refusal::Synchronization
            | Refusal::NotConnected
            | Refusal::LookUp(_)
            | Refusal::Differs(_) => {}
        }
        if !refusal.is_wait() {
            machine.count_failure(&text);
        }
        self.give_up(machine, refusal.level(), text);
    }

    /// Back to readiness; the next attempt comes at its time.
    fn give_up(&mut self, machine: &mut Machine, level: Level, text: String) {
        self.step = Step::Idle;
        machine.note(level, text.clone());
        match machine.stage {
            Stage::HeadSync => machine.leave_for(Stage::HeadSyncReady, text),
            Stage::Resync | Stage::CheckpointSync | Stage::DagSync | Stage::HeadSyncReady | Stage::Working => {}
        }
    }

    /// How the follower stands.
    pub(super) fn hear(&mut self, machine: &mut Machine, peer: Option<Peer>) {
        let is_ready = peer.is_some_and(|peer| !peer.stage.is_catching_up());
        if is_ready && !self.peer_was_ready {
            // It has just come to its head: there is nothing to wait for, and a checkpoint that was chosen before may be
            // older than what it has read since.
            self.next_at = machine.now;
            if machine.stage == Stage::HeadSyncReady {
                self.reset();
            }
        }
        self.peer_was_ready = is_ready;
        let lost = match (machine.stage, peer) {
            (Stage::Resync | Stage::CheckpointSync | Stage::DagSync | Stage::HeadSyncReady, _) => false,
            (Stage::HeadSync | Stage::Working, None) => true,
            // Until it has the items, it is still ready.
            (Stage::HeadSync, Some(peer)) => peer.stage.is_catching_up(),
            (Stage::Working, Some(peer)) => match peer.stage {
                Stage::Resync | Stage::CheckpointSync | Stage::DagSync | Stage::HeadSyncReady => true,
                Stage::HeadSync | Stage::Working => peer.round != machine.round,
            },
        };
        if lost {
            self.reset();
            let why = machine.fell_back(peer);
            machine.leave_for(Stage::HeadSyncReady, why);
        } else if peer.is_some_and(|peer| peer.stage == Stage::Working)
            && machine.stage == Stage::Working
            && matches!(self.step, Step::Announcing { .. })
        {
            self.step = Step::Done;
        }
    }
}

const fn roots(machine: &Machine, whose: Whose) -> LookUp {
    LookUp::Roots { whose, limit: machine.settings.max_items }
}
