//! The follower's side of the handshake: answers, compares, and works when it is told that both agree.
//!
//! Invariant: it never begins a handshake, and it works only in the round whose comparison it has answered itself.

use super::compare;
use super::event::{Finding, Level, LookUp, LookUpNo, Whose};
use super::machine::Machine;
use super::message::{Checkpoint, Peer, PeerMessage, Refusal, Round, Stage};
use std::mem;

/// Where the handshake is.
#[derive(Debug, Clone, Default)]
enum Step {
    /// Waits to be asked.
    #[default]
    Idle,
    /// Is the checkpoint anchored here?
    Validating(LookUpNo, Round, Checkpoint),
    /// It is: ready for head-sync.
    Ready(Round, Checkpoint),
    /// Are the items' roots anchored here?
    Comparing(LookUpNo, Round, Vec<Checkpoint>),
    /// They are. Which own blocks are anchored on the other chain?
    Choosing(LookUpNo, Round),
    /// These are being read.
    Listing(LookUpNo, Round, Vec<u64>),
    /// Answered; waits for the other chain to work.
    Compared(Round),
}

/// The follower's state.
#[derive(Debug, Clone, Default)]
pub(super) struct Follower {
    step: Step,
    /// When the step began.
    since: u64,
}

impl Follower {
    /// Forgets the handshake under way.
    pub(super) fn reset(&mut self) {
        self.step = Step::Idle;
    }

    fn set(&mut self, machine: &Machine, step: Step) {
        self.step = step;
        self.since = machine.now;
    }

    /// What is due by the clock: readiness and agreements that nobody goes on with lapse.
    pub(super) fn tick(&mut self, machine: &mut Machine) {
        if matches!(self.step, Step::Idle) || !machine.has_lapsed(self.since) {
            return;
        }
        self.reset();
        let seconds = machine.settings.head_sync_timeout_secs;
        let text = format!("the readiness lapsed: {} did not go on for {seconds} s", machine.other());
        Self::give_up(machine, Level::Warn, text);
    }

    /// Back to readiness, if it had gone on from there.
    fn give_up(machine: &mut Machine, level: Level, text: String) {
        machine.note(level, text.clone());
        match machine.stage {
            Stage::HeadSync => machine.leave_for(Stage::HeadSyncReady, text),
            Stage::Resync | Stage::CheckpointSync | Stage::DagSync | Stage::HeadSyncReady | Stage::Working => {}
        }
    }

    /// From the coordinator.
    pub(super) fn message(&mut self, machine: &mut Machine, message: PeerMessage) {
        match message {
            PeerMessage::HeadSyncReady { round, checkpoint } => self.asked(machine, round, checkpoint),
            PeerMessage::HeadSync { round, items } => self.execute(machine, round, items),
            PeerMessage::Working { round } => self.work(machine, round),
            PeerMessage::ReadyReply { .. } | PeerMessage::HeadSyncReply { .. } => {
                let other = machine.other();
                machine.log(Level::Warn, format!("{other} was not asked; its answer is passed over"));
            }
        }
    }

    /// Why neither of the two messages is heard at all in this stage.
    const fn deaf(stage: Stage) -> Option<Refusal> {
        match stage {
            Stage::Resync | Stage::CheckpointSync | Stage::DagSync => Some(Refusal::Synchronization),
            Stage::HeadSyncReady | Stage::HeadSync => None,
            Stage::Working => Some(Refusal::Locked),
        }
    }

    fn asked(&mut self, machine: &mut Machine, round: Round, checkpoint: Checkpoint) {
        if let Some(refusal) = Self::deaf(machine.stage) {
            return machine.send(PeerMessage::ReadyReply { round, result: Err(refusal) });
        }
        match &self.step {
            Step::Ready(known, _) if *known == round => machine.send(PeerMessage::ReadyReply { round, result: Ok(()) }),
            // Its answer comes, or was overtaken.
            Step::Validating(_, known, _)
            | Step::Comparing(_, known, _)
            | Step::Choosing(_, known)
            | Step::Listing(_, known, _)
            | Step::Compared(known)
                if *known == round => {}
            Step::Validating(..) | Step::Comparing(..) | Step::Choosing(..) | Step::Listing(..) => {
                machine.send(PeerMessage::ReadyReply { round, result: Err(Refusal::Busy) });
            }
            Step::Idle | Step::Ready(..) | Step::Compared(_) => {
                if machine.stage == Stage::HeadSync {
                    let why = format!("{} begins a new handshake", machine.other());
                    machine.leave_for(Stage::HeadSyncReady, why);
                }
                self.validate(machine, round, checkpoint);
            }
        }
    }

    fn validate(&mut self, machine: &mut Machine, round: Round, checkpoint: Checkpoint) {
        if checkpoint.number == 0 {
            let result = compare::validate(machine.chain.side.other(), &checkpoint, &[], machine.finalized());
            return self.validated(machine, round, checkpoint, result);
        }
        let no = machine.look_up(roots(machine, Whose::Other));
        self.set(machine, Step::Validating(no, round, checkpoint));
    }

    fn validated(&mut self, machine: &mut Machine, round: Round, checkpoint: Checkpoint, result: Result<(), Refusal>) {
        match &result {
            Ok(()) => self.set(machine, Step::Ready(round, checkpoint)),
            Err(refusal) => {
                self.reset();
                Self::refuse(machine, refusal);
            }
        }
        machine.send(PeerMessage::ReadyReply { round, result });
    }

    /// What is wrong was found here: said here, and the coordinator hears it too.
    fn refuse(machine: &mut Machine, refusal: &Refusal) {
        let text = refusal.to_string();
        match refusal {
            Refusal::Differs(_) => machine.alarm(&text),
            Refusal::BadParams
            | Refusal::UnknownSpineHash
            | Refusal::NotFinalized { .. }
            | Refusal::BadNumber
            | Refusal::StateNotFound
            | Refusal::Locked
            | Refusal::Busy
            | Refusal::NotReady
            | Refusal::Synchronization
            | Refusal::NotConnected
            | Refusal::LookUp(_) => {}
        }
        Self::give_up(machine, refusal.level(), text);
    }

    fn execute(&mut self, machine: &mut Machine, round: Round, mut items: Vec<Checkpoint>) {
        let refusal = match (Self::deaf(machine.stage), &self.step) {
            (Some(refusal), _) => Some(refusal),
            (None, Step::Ready(known, _)) if *known == round => None,
            (None, Step::Idle | Step::Ready(..) | Step::Compared(_)) => Some(Refusal::NotReady),
            (None, Step::Validating(..) | Step::Comparing(..) | Step::Choosing(..) | Step::Listing(..)) => {
                Some(Refusal::Busy)
            }
        };
        if let Some(refusal) = refusal {
            return machine.send(PeerMessage::HeadSyncReply { round, result: Err(refusal) });
        }
        if let Step::Ready(_, checkpoint) = self.step {
            machine.last_coord = Some(checkpoint.number);
        }
        machine.round = Some(round);
        machine.enter(Stage::HeadSync, format!("{} hands over {} blocks", machine.other(), items.len()));
        match compare::tidy(&mut items) {
            Err(refusal) => self.abort(machine, round, refusal),
            Ok(repeated) => {
                for number in repeated {
                    let other = machine.other();
                    machine.log(Level::Warn, format!("{other} handed over block {number} more than once"));
                }
                let no = machine.look_up(roots(machine, Whose::Other));
                self.set(machine, Step::Comparing(no, round, items));
            }
        }
    }

    fn abort(&mut self, machine: &mut Machine, round: Round, refusal: Refusal) {
        self.reset();
        Self::refuse(machine, &refusal);
        machine.send(PeerMessage::HeadSyncReply { round, result: Err(refusal) });
    }

    /// An answer to a look-up.
    pub(super) fn found(&mut self, machine: &mut Machine, no: LookUpNo, found: Result<Finding, Refusal>) {
        let waiting = match &self.step {
            Step::Validating(waiting, ..)
            | Step::Comparing(waiting, ..)
            | Step::Choosing(waiting, _)
            | Step::Listing(waiting, ..) => Some(*waiting),
            Step::Idle | Step::Ready(..) | Step::Compared(_) => None,
        };
        if waiting != Some(no) {
            return;
        }
        match mem::take(&mut self.step) {
            Step::Validating(_, round, checkpoint) => {
                let (side, finalized) = (machine.chain.side.other(), machine.finalized());
                let result = found
                    .and_then(Finding::roots)
                    .and_then(|roots| compare::validate(side, &checkpoint, &roots, finalized));
                self.validated(machine, round, checkpoint, result);
            }
            Step::Comparing(_, round, items) => {
                let side = machine.chain.side.other();
                let compared = found.and_then(Finding::roots).and_then(|roots| compare::compare(side, &items, &roots));
                match compared {
                    Ok(()) => {
                        let no = machine.look_up(roots(machine, Whose::Own));
                        self.set(machine, Step::Choosing(no, round));
                    }
                    Err(refusal) => self.abort(machine, round, refusal),
                }
            }
            Step::Choosing(_, round) => match found.and_then(Finding::roots) {
                Ok(roots) => {
                    // From the newest finalized one on, as the coordinator does.
                    let after =
                        compare::choose(&roots, machine.finalized(), None).map_or(0, |number| number.saturating_sub(1));
                    let numbers = compare::heights(&roots, after, machine.head());
                    if numbers.is_empty() {
                        self.compared(machine, round, Vec::new());
                    } else {
                        let no = machine.look_up(LookUp::Blocks(numbers.clone()));
                        self.set(machine, Step::Listing(no, round, numbers));
                    }
                }
                Err(refusal) => self.abort(machine, round, refusal),
            },
            Step::Listing(_, round, numbers) => {
                let listed = found.and_then(Finding::blocks).and_then(|found| compare::blocks(&numbers, &found));
                match listed {
                    Ok(items) => self.compared(machine, round, items),
                    Err(refusal) => self.abort(machine, round, refusal),
                }
            }
            step @ (Step::Idle | Step::Ready(..) | Step::Compared(_)) => self.step = step,
        }
    }

    fn compared(&mut self, machine: &mut Machine, round: Round, items: Vec<Checkpoint>) {
        self.set(machine, Step::Compared(round));
        machine.send(PeerMessage::HeadSyncReply { round, result: Ok(items) });
    }

    fn work(&mut self, machine: &mut Machine, round: Round) {
        if matches!(self.step, Step::Compared(known) if known == round) {
            self.reset();
            machine.enter(Stage::Working, format!("agreed with {} in round {round}", machine.other()));
        }
        if machine.stage == Stage::Working && machine.round == Some(round) {
            machine.send(PeerMessage::Working { round });
        }
    }

    /// How the coordinator stands.
    pub(super) fn hear(&mut self, machine: &mut Machine, peer: Option<Peer>) {
        let same = peer.is_some_and(|peer| match peer.stage {
            Stage::Resync | Stage::CheckpointSync | Stage::DagSync | Stage::HeadSyncReady => false,
            Stage::HeadSync | Stage::Working => peer.round == machine.round,
        });
        match machine.stage {
            Stage::Resync | Stage::CheckpointSync | Stage::DagSync => {}
            Stage::HeadSyncReady => {
                // Whoever is not ready any more will ask anew.
                if peer.is_none_or(|peer| peer.stage.is_catching_up()) {
                    self.reset();
                }
            }
            Stage::HeadSync => {
                if !same {
                    self.reset();
                    let why = machine.fell_back(peer);
                    machine.leave_for(Stage::HeadSyncReady, why);
                }
            }
            Stage::Working => {
                if !same || peer.is_some_and(|peer| peer.stage != Stage::Working) {
                    let why = machine.fell_back(peer);
                    machine.leave_for(Stage::HeadSyncReady, why);
                }
            }
        }
    }
}

const fn roots(machine: &Machine, whose: Whose) -> LookUp {
    LookUp::Roots { whose, limit: machine.settings.max_items }
}
