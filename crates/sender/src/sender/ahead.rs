//! What goes behind transactions of its own account that are not mined yet: an accept behind its approval, a confirmation
//! behind the gateway proof. And the trials of sequences, which also tell about many that rely on nothing at once.
//!
//! The chain takes an account's transactions in the order of their nonces, so what is signed behind another one meets what
//! that one has left behind, be it in the same block. Whether it then succeeds is tried out with the others before it.
//! Should one of them fail all the same, those behind it revert: that costs their gas and nothing else, and no more of
//! them than one account may have in flight. Hence nothing goes behind another that reveals a secret (law 4), and nothing
//! behind one of another account.

use super::{Sender, Support, observe::simulation};
use crate::{
    book::{DependencyDone, Flight},
    keep::Keep,
    node::{Ask, Simulation, Trial},
    policy::simulated::{self, Refunds},
    types::Head,
};
use facilitator_chain::rpc::RpcError;
use facilitator_eth::Address;
use facilitator_store::journal::{EntryId, EntryState, Visibility};
use std::collections::{BTreeMap, BTreeSet};

/// Most transactions estimated in one round.
const MAX_CANDIDATES: usize = 500;
/// Most transactions in one sequence: nodes give all of them together the gas of one block, and some an equal part to each.
const MAX_SEQUENCE: usize = 24;
/// Longest chain of intents that come after each other.
const MAX_BEFORE: usize = 4;

/// The accepts that have their allowance, each with the approval that is not mined yet, if it needs one.
pub(super) type Admitted = BTreeMap<EntryId, Option<EntryId>>;

/// A queued entry that may be tried out.
pub(super) struct Candidate {
    pub(super) id: EntryId,
    /// The unmined ones that it relies upon, first to last.
    pub(super) behind: Vec<EntryId>,
}

/// Trials in a row that a node may fail to answer until it is asked for none any more.
const MAX_UNANSWERED: u32 = 3;

/// Transactions of one account to be tried out one after the other.
struct Sequence {
    account: Address,
    ids: Vec<EntryId>,
    /// Whether any of them relies upon another.
    relies: bool,
    /// Those that must return something: by themselves each takes an estimate and a call.
    telling: usize,
}

impl Sequence {
    fn new(account: Address) -> Self {
        Self { account, ids: Vec::new(), relies: false, telling: 0 }
    }

    /// Whether one trial of all is needed, or costs less than to ask about each.
    fn is_worth_it(&self) -> bool {
        self.relies || self.telling > 1
    }

    fn add(&mut self, flight: &Flight, behind: &[EntryId]) {
        self.relies |= !behind.is_empty();
        self.telling += usize::from(flight.entry.expect.is_some());
        for id in behind.iter().copied().chain([flight.id()]) {
            if !self.ids.contains(&id) {
                self.ids.push(id);
            }
        }
    }
}

impl<N: Ask, K: Keep> Sender<N, K> {
    /// What may be tried out now, oldest first, but each behind what it relies upon.
    pub(super) fn candidates(&self, head: Head, admitted: &Admitted) -> Vec<Candidate> {
        let free = |account: &Address| self.settings.max_in_flight.saturating_sub(self.book.in_flight(*account).len());
        let mut slots: BTreeMap<Address, usize> =
            self.accounts.keys().map(|account| (*account, free(account))).collect();
        let mut chosen: Vec<Candidate> = Vec::new();
        let mut taken = BTreeSet::new();
        for flight in self.book.iter().filter(|flight| self.is_ready(flight, head)) {
            let Some(behind) = self.relies_upon(flight, admitted) else { continue };
            let line: Vec<EntryId> = behind.into_iter().chain([flight.id()]).collect();
            for (place, id) in line.iter().enumerate() {
                let Some(flight) = self.book.get(*id) else { break };
                if flight.is_in_flight() || taken.contains(id) {
                    continue;
                }
                let Some(slot) = slots.get_mut(&flight.account).filter(|free| **free > 0) else { break };
                if !self.is_ready(flight, head) || chosen.len() >= MAX_CANDIDATES {
                    break;
                }
                *slot -= 1;
                taken.insert(*id);
                chosen.push(Candidate { id: *id, behind: line.iter().take(place).copied().collect() });
            }
        }
        chosen
    }

    fn is_ready(&self, flight: &Flight, head: Head) -> bool {
        flight.is_queued() && flight.refused_at != Some(head.number) && self.is_known(flight)
    }

    /// Whether it could be signed by this process.
    pub(super) fn is_known(&self, flight: &Flight) -> bool {
        flight.data.is_some() && self.may_sign(flight.account)
    }

    /// `None` of an entry that has to wait.
    fn relies_upon(&self, flight: &Flight, admitted: &Admitted) -> Option<Vec<EntryId>> {
        let approval = match flight.entry.allowance {
            Some(_) => *admitted.get(&flight.id())?,
            None => None,
        };
        let mut behind: Vec<EntryId> = approval.into_iter().collect();
        behind.extend(self.unmined_before(flight, MAX_BEFORE)?);
        Some(behind)
    }

    /// The unmined ones of its account that it comes after, first to last; `None` if one of them must be mined first.
    fn unmined_before(&self, flight: &Flight, most: usize) -> Option<Vec<EntryId>> {
        if self.is_after_done(flight) {
            return Some(Vec::new());
        }
        let before = self.book.by_intent(flight.entry.after.as_deref()?)?;
        let is_public = [flight, before].iter().all(|one| one.entry.visibility == Visibility::Public);
        let comes_first = before.account == flight.account && before.entry.allowance.is_none();
        let may =
            most > 0 && self.rehearsals == Support::Assumed && is_public && comes_first && self.is_to_come(before);
        let mut line = if may { self.unmined_before(before, most - 1)? } else { return None };
        line.push(before.id());
        Some(line)
    }

    fn is_after_done(&self, flight: &Flight) -> bool {
        if flight.dependency_done == DependencyDone::Yes {
            return true;
        }
        let before = flight.entry.after.as_deref().and_then(|after| self.book.by_intent(after));
        before.is_some_and(|before| before.entry.state == EntryState::Mined)
    }

    /// Whether its nonce is free yet, or will be given to it.
    fn is_to_come(&self, flight: &Flight) -> bool {
        if flight.is_queued() {
            return self.is_known(flight);
        }
        let executed = self.survey.count(flight.account);
        flight.is_in_flight()
            && flight.reverted.is_none()
            && flight.entry.nonce.zip(executed).is_some_and(|(nonce, executed)| nonce >= executed)
    }

    /// Tries candidates out together, and returns the gas that each of those needs which did what they are for. About the
    /// others nothing is known, nor about any if the node did not answer: it may answer all else.
    pub(super) async fn rehearse(&mut self, candidates: &[Candidate], head: Head) -> BTreeMap<EntryId, u64> {
        let mut needed = BTreeMap::new();
        let sequences = if self.rehearsals == Support::Assumed { self.sequences(candidates) } else { Vec::new() };
        let trials = sequences.iter().map(|sequence| self.trial_of(sequence));
        let Some(asked) = trials.collect::<Option<Vec<Vec<Simulation>>>>().filter(|asked| !asked.is_empty()) else {
            return needed;
        };
        let answers = match self.node.rehearse(&asked).await {
            Ok(answers) => answers,
            Err(error) => {
                self.not_rehearsed(&error);
                return needed;
            }
        };
        for (sequence, answer) in sequences.iter().zip(answers) {
            match answer {
                Ok(trials) => {
                    self.unanswered_trials = 0;
                    for (id, trial) in sequence.ids.iter().zip(trials) {
                        if let Some(gas) = self.gas_of(*id, &trial, head) {
                            needed.entry(*id).or_insert(gas);
                        }
                    }
                }
                Err(error) => self.not_rehearsed(&error),
            }
        }
        needed
    }

    /// The same question is not asked of this endpoint again if it can't answer it, or has not for a while.
    fn not_rehearsed(&mut self, error: &RpcError) {
        let never = match error {
            RpcError::Unsupported { .. } | RpcError::Malformed { .. } | RpcError::Denied { .. } => true,
            // No such method, no such parameters.
            RpcError::Server { code, .. } => matches!(code, -32601 | -32602),
            RpcError::Endpoint { .. }
            | RpcError::Transport { .. }
            | RpcError::Timeout { .. }
            | RpcError::RateLimited { .. }
            | RpcError::TooManyResults { .. }
            | RpcError::RangeTooWide { .. }
            | RpcError::TooLarge { .. } => false,
        };
        self.unanswered_trials = self.unanswered_trials.saturating_add(1);
        if (never || self.unanswered_trials >= MAX_UNANSWERED) && self.rehearsals == Support::Assumed {
            let chain = self.settings.chain_id;
            tracing::info!(chain, %error, "the node tries out no sequences: what relies on others waits until they are mined");
            self.rehearsals = Support::Refused;
        }
    }

    /// Groups of one account that are worth a trial. All else is estimated, which is exact: above all what reveals a secret,
    /// since one that runs out of gas has published it in vain (protocol.md R4). And what brings coin along: nodes answer
    /// nothing about a sequence whose coin the account does not have as a whole.
    fn sequences(&self, candidates: &[Candidate]) -> Vec<Sequence> {
        let mut sequences: Vec<Sequence> = Vec::new();
        for Candidate { id, behind } in candidates {
            let may = |one: &&Flight| one.entry.visibility == Visibility::Public && one.entry.value.is_zero();
            let Some(flight) = self.book.get(*id).filter(may) else { continue };
            let account = flight.account;
            let open = sequences.iter_mut().rev().find(|one| one.account == account);
            match open {
                Some(open) if open.ids.len() + behind.len() < MAX_SEQUENCE => open.add(flight, behind),
                Some(_) | None => {
                    let mut new = Sequence::new(account);
                    new.add(flight, behind);
                    sequences.push(new);
                }
            }
        }
        sequences.retain(Sequence::is_worth_it);
        sequences
    }

    /// One for each of the sequence, or none at all: an answer must never be taken for its neighbour's.
    fn trial_of(&self, sequence: &Sequence) -> Option<Vec<Simulation>> {
        sequence.ids.iter().map(|id| simulation(self.book.get(*id)?)).collect()
    }

    fn gas_of(&self, id: EntryId, trial: &Trial, head: Head) -> Option<u64> {
        let expected = self.book.get(id)?.entry.expect;
        let refunds = if head.base_fee.is_some() { Refunds::UpToAFifth } else { Refunds::UpToHalf };
        match trial {
            Trial::Succeeds { gas_used, returned } if expected.is_none_or(|expected| returned.0 == expected.0) => {
                Some(simulated::needed(*gas_used, refunds))
            }
            Trial::Succeeds { .. } | Trial::Fails => None,
        }
    }
}
