//! From questions to calls and from outcomes to answers. Pure.
//!
//! Invariant: every question is part of exactly one call, and every outcome settles all questions of its call: with an
//! answer, with "ask it alone", or with "ask again". Equal questions have been merged before.
//! Sequences are sent by a method that a server may refuse as it likes, be it with the whole request: so what no other
//! question could tell of a server that is down is no answer yet to those that were asked together with a sequence.

use super::{
    multicall::{self, Part},
    query::{Answer, At, Query},
    trials,
};
use crate::{
    rpc::{Call, RpcError},
    types::{parse_bytes, parse_header, parse_proof, parse_quantity},
};
use facilitator_eth::{Address, B256, Bytes, U256};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One question that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open<'a> {
    /// Its place in the round.
    pub(super) slot: usize,
    /// The question.
    pub(super) query: &'a Query,
    /// Whether it may share a packed call.
    pub(super) manner: Manner,
}

/// Whether a question may be packed with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It may.
    Shared,
    /// It failed among others, or the call that held them did: its own call tells the truth.
    Alone,
}

/// What a question's call has settled.
#[derive(Debug)]
pub(super) enum Settled {
    /// The answer.
    Answer(Answer),
    /// Ask it in a call of its own.
    Alone,
    /// The endpoint gave no usable answer.
    Again(RpcError),
    /// It failed together with a sequence, perhaps for it alone: ask it without one.
    Without,
}

/// A transaction to be tried out.
struct Trial<'a> {
    slot: usize,
    query: &'a Query,
    from: Address,
    data: &'a Bytes,
}

/// The questions that one call answers.
#[derive(Debug)]
enum Questions<'a> {
    One { slot: usize, query: &'a Query },
    Packed { kind: Packed, slots: Vec<usize> },
    Proof { address: Address, height: u64, keys: Vec<B256>, slots: Vec<(usize, B256)> },
}

impl Questions<'_> {
    fn is_sequence(&self) -> bool {
        matches!(self, Self::Packed { kind: Packed::Trials, .. })
    }

    fn slots(&self) -> Vec<usize> {
        match self {
            Self::One { slot, .. } => vec![*slot],
            Self::Packed { slots, .. } => slots.clone(),
            Self::Proof { slots, .. } => slots.iter().map(|(slot, _)| *slot).collect(),
        }
    }
}

/// The calls of a round with the questions that they answer.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    calls: Vec<Call>,
    questions: Vec<Questions<'a>>,
    settled: Vec<(usize, Settled)>,
}

/// How several questions share a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// Views, by [`multicall`].
    Views,
    /// Transactions of one function of one contract, by [`trials`]: of [`Query::Trial`] alone.
    Trials,
}

/// What happened to the packed calls of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackOutcome {
    /// The endpoint carried one out.
    Carried(Packed),
    /// The endpoint answered, but didn't carry out one of so many questions.
    Refused(Packed, usize),
    /// The endpoint does not know the method.
    Unknown(Packed),
    /// No answer to one of so many questions: if the endpoint answers others, that was a refusal.
    Unanswered(Packed, usize),
}

/// The most questions that one call may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) views: usize,
    pub(super) trials: usize,
}

/// A function of a contract at a block.
type Function<'a> = (String, Address, &'a [u8]);

impl<'a> Plan<'a> {
    /// Plans the calls for `open`.
    pub(super) fn new(open: &[Open<'a>], final_height: Option<u64>, most: Most) -> Self {
        let mut plan = Self::default();
        let mut views: BTreeMap<String, Vec<Open<'a>>> = BTreeMap::new();
        let mut trials: BTreeMap<Function<'a>, Vec<Trial<'a>>> = BTreeMap::new();
        let mut proofs: BTreeMap<(Address, u64), Vec<(usize, B256)>> = BTreeMap::new();
        for &Open { slot, query, manner } in open {
            let Some(tag) = tag(query, final_height) else {
                let why = "no block is known to be final yet".to_owned();
                plan.settled.push((slot, Settled::Answer(Answer::Failed(why))));
                continue;
            };
            match query {
                Query::Call { from: None, .. } if manner == Manner::Shared && most.views > 1 => {
                    views.entry(tag).or_default().push(Open { slot, query, manner });
                }
                Query::Trial { from, to, data, .. } if manner == Manner::Shared && most.trials > 1 => {
                    let function = (tag, *to, data.0.get(..4).unwrap_or_default());
                    trials.entry(function).or_default().push(Trial { slot, query, from: *from, data });
                }
                Query::Proof { address, key, height } => {
                    proofs.entry((*address, *height)).or_default().push((slot, *key));
                }
                Query::Call { .. }
                | Query::Trial { .. }
                | Query::Balance { .. }
                | Query::Code { .. }
                | Query::StateRoot { .. } => plan.single(slot, query, &tag),
            }
        }
        views.into_iter().for_each(|(tag, views)| plan.pack(&views, &tag, most.views));
        trials.into_iter().for_each(|((tag, to, _), trials)| plan.try_out(&trials, to, &tag, most.trials));
        proofs.into_iter().for_each(|((address, height), slots)| plan.prove(address, height, &slots));
        plan
    }

    /// The calls to send, in order.
    pub(super) fn calls(&self) -> &[Call] {
        &self.calls
    }

    fn push(&mut self, call: Call, questions: Questions<'a>) {
        self.calls.push(call);
        self.questions.push(questions);
    }

    fn single(&mut self, slot: usize, query: &'a Query, tag: &str) {
        let call = match query {
            Query::Call { from, to, data, .. } => {
                let mut fields = json!({ "to": to, "data": data });
                if let Some(from) = from {
                    fields["from"] = json!(from);
                }
                Call::new("eth_call", json!([fields, tag]))
            }
            Query::Trial { from, to, data, .. } => {
                Call::new("eth_call", json!([{ "from": from, "to": to, "data": data }, tag]))
            }
            Query::Balance { address, .. } => Call::new("eth_getBalance", json!([address, tag])),
            Query::Code { address, .. } => Call::new("eth_getCode", json!([address, tag])),
            Query::Proof { address, key, .. } => Call::new("eth_getProof", json!([address, [key], tag])),
            Query::StateRoot { .. } => Call::new("eth_getBlockByNumber", json!([tag, false])),
        };
        self.push(call, Questions::One { slot, query });
    }

    /// Cuts `views` of one block into packed calls by number and size.
    fn pack(&mut self, views: &[Open<'a>], tag: &str, most: usize) {
        let mut group: Vec<(usize, &'a Query, Address, &'a Bytes)> = Vec::new();
        let mut size = multicall::CODE.len();
        for open in views {
            let Query::Call { to, data, .. } = open.query else { continue };
            let record = multicall::RECORD + data.0.len();
            if group.len() >= most || size + record > multicall::MAX_INPUT {
                self.pack_group(std::mem::take(&mut group), tag);
                size = multicall::CODE.len();
            }
            size += record;
            group.push((open.slot, open.query, *to, data));
        }
        self.pack_group(group, tag);
    }

    fn pack_group(&mut self, group: Vec<(usize, &'a Query, Address, &'a Bytes)>, tag: &str) {
        if group.len() < 2 {
            group.into_iter().for_each(|(slot, query, ..)| self.single(slot, query, tag));
            return;
        }
        let data = multicall::encode(group.iter().map(|(_, _, to, data)| (*to, *data)));
        let slots = group.into_iter().map(|(slot, ..)| slot).collect();
        self.push(
            Call::new("eth_call", json!([{ "data": data }, tag])),
            Questions::Packed { kind: Packed::Views, slots },
        );
    }

    /// Cuts transactions to one contract into sequences.
    fn try_out(&mut self, trials: &[Trial<'a>], to: Address, tag: &str, most: usize) {
        for group in trials.chunks(most) {
            if let [Trial { slot, query, .. }] = group {
                self.single(*slot, query, tag);
                continue;
            }
            let call = trials::call(group.iter().map(|trial| (trial.from, to, trial.data)), tag);
            let slots = group.iter().map(|trial| trial.slot).collect();
            self.push(call, Questions::Packed { kind: Packed::Trials, slots });
        }
    }

    fn prove(&mut self, address: Address, height: u64, slots: &[(usize, B256)]) {
        for slots in slots.chunks(crate::types::MAX_KEYS) {
            let mut keys: Vec<B256> = slots.iter().map(|(_, key)| *key).collect();
            keys.sort_unstable();
            keys.dedup();
            let call = Call::new("eth_getProof", json!([address, keys, quantity(height)]));
            self.push(call, Questions::Proof { address, height, keys, slots: slots.to_vec() });
        }
    }

    /// What `outcomes`, one for each of [`Self::calls`], mean for the questions and for packing.
    pub(super) fn settle(self, outcomes: Vec<Result<Value, RpcError>>) -> (Vec<(usize, Settled)>, Vec<PackOutcome>) {
        let suspected = suspected(&self.questions, &outcomes);
        let mut settled = self.settled;
        let mut packs = Vec::new();
        for (questions, outcome) in self.questions.into_iter().zip(outcomes) {
            if !questions.is_sequence() && outcome.as_ref().is_err_and(|error| suspected.contains(error)) {
                settled.extend(questions.slots().into_iter().map(|slot| (slot, Settled::Without)));
                continue;
            }
            match questions {
                Questions::One { slot, query } => settled.push((slot, settle_one(query, outcome))),
                Questions::Packed { kind, slots } => settle_pack(kind, &slots, outcome, &mut settled, &mut packs),
                Questions::Proof { address, height, keys, slots } => {
                    let proof = outcome.and_then(|value| parse_proof(&value, address, &keys, height));
                    for (slot, key) in slots {
                        let one = proof.as_ref().map_err(Clone::clone).map(|proof| {
                            let storage = proof.storage.iter().filter(|part| part.key == key).cloned().collect();
                            Answer::Proof(facilitator_protocol::proof::AccountProof { storage, ..proof.clone() })
                        });
                        settled.push((slot, one.map_or_else(without_answer, Settled::Answer)));
                    }
                }
            }
        }
        (settled, packs)
    }
}

/// The block's name in JSON-RPC; `None` while no block is final.
fn tag(query: &Query, final_height: Option<u64>) -> Option<String> {
    match query {
        Query::Call { at, .. } | Query::Trial { at, .. } | Query::Balance { at, .. } | Query::Code { at, .. } => {
            match at {
                At::Latest => Some("latest".to_owned()),
                At::Final => final_height.map(quantity),
                At::Block(height) => Some(quantity(*height)),
            }
        }
        Query::Proof { height, .. } | Query::StateRoot { height } => Some(quantity(*height)),
    }
}

fn quantity(number: u64) -> String {
    U256::from(number).to_quantity()
}

fn settle_one(query: &Query, outcome: Result<Value, RpcError>) -> Settled {
    let answer = outcome.and_then(|value| match query {
        Query::Call { .. } | Query::Trial { .. } => parse_bytes("result of eth_call", &value).map(Answer::Data),
        Query::Code { .. } => parse_bytes("code", &value).map(Answer::Data),
        Query::Balance { .. } => parse_quantity("balance", &value).map(Answer::Number),
        Query::Proof { address, key, height } => {
            parse_proof(&value, *address, std::slice::from_ref(key), *height).map(Answer::Proof)
        }
        Query::StateRoot { height } => match parse_header(&value)? {
            Some(header) if header.number == *height => Ok(Answer::Root(header.state_root)),
            Some(header) => Err(RpcError::malformed(format!("block {} for block {height}", header.number))),
            None => Ok(Answer::Failed(format!("the node does not have block {height}"))),
        },
    });
    match (answer, query) {
        (Ok(answer), _) => Settled::Answer(answer),
        (Err(error), Query::Call { .. } | Query::Trial { .. }) => match error.revert() {
            Some(revert) => Settled::Answer(Answer::Reverted(revert)),
            None => without_answer(error),
        },
        (Err(error), Query::Balance { .. } | Query::Code { .. } | Query::Proof { .. } | Query::StateRoot { .. }) => {
            without_answer(error)
        }
    }
}

/// The errors that sequences met and that others of their request may have met for them alone. A timeout is not among
/// them: whoever is slow is not asked the same at once again.
fn suspected(questions: &[Questions<'_>], outcomes: &[Result<Value, RpcError>]) -> Vec<RpcError> {
    let of_sequences = questions.iter().zip(outcomes).filter(|(questions, _)| questions.is_sequence());
    let errors = of_sequences.filter_map(|(_, outcome)| outcome.as_ref().err());
    errors.filter(|error| !matches!(error, RpcError::Timeout { .. })).cloned().collect()
}

/// Errors that will be the same a moment later are answers.
fn without_answer(error: RpcError) -> Settled {
    // A question that was too slow once would hold everybody up again.
    let too_slow = matches!(error, RpcError::Timeout { .. });
    if error.is_transient() && !too_slow {
        Settled::Again(error)
    } else {
        Settled::Answer(Answer::Failed(error.to_string()))
    }
}

fn settle_pack(
    kind: Packed,
    slots: &[usize],
    outcome: Result<Value, RpcError>,
    settled: &mut Vec<(usize, Settled)>,
    packs: &mut Vec<PackOutcome>,
) {
    let parts = match outcome {
        Ok(value) => match kind {
            Packed::Views => {
                parse_bytes("result of eth_call", &value).ok().and_then(|data| multicall::decode(&data.0, slots.len()))
            }
            Packed::Trials => trials::decode(&value, slots.len()),
        },
        Err(error @ (RpcError::Transport { .. } | RpcError::RateLimited { .. } | RpcError::Denied { .. })) => {
            let settle = |slot: &usize| match kind {
                // Alone they would be sent by the same method.
                Packed::Views => (*slot, without_answer(error.clone())),
                Packed::Trials => (*slot, Settled::Alone),
            };
            settled.extend(slots.iter().map(settle));
            if kind == Packed::Trials {
                packs.push(PackOutcome::Unanswered(kind, slots.len()));
            }
            return;
        }
        Err(RpcError::Unsupported { .. }) if kind == Packed::Trials => {
            packs.push(PackOutcome::Unknown(kind));
            settled.extend(slots.iter().map(|slot| (*slot, Settled::Alone)));
            return;
        }
        // Too slow, too large, refused or garbled: the calls alone tell whether it was the packing.
        Err(_) => None,
    };
    let Some(parts) = parts else {
        packs.push(PackOutcome::Refused(kind, slots.len()));
        settled.extend(slots.iter().map(|slot| (*slot, Settled::Alone)));
        return;
    };
    packs.push(PackOutcome::Carried(kind));
    for (slot, part) in slots.iter().zip(parts) {
        let settle = match part {
            Part::Returned(data) => Settled::Answer(Answer::Data(data)),
            Part::Failed => Settled::Alone,
        };
        settled.push((*slot, settle));
    }
}
