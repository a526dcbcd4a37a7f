//! Transactions to the modelled contracts: from call data to a new state, events and return data, or to a revert. Here are
//! the dispatch and the pools; the gateways are in [`crate::boxes`].

use crate::boxes;
use crate::names::{self, FOREIGN_GATEWAY};
use crate::state::{Message, Snapshot, State};
use facilitator_eth::abi::{AbiError, Words};
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_protocol::contracts::{gateway as gateways, organization, pool, token, vault};
use facilitator_protocol::events as ev;
use facilitator_protocol::events::Event;
use facilitator_protocol::hashes::{self, MessageParts};
use facilitator_protocol::model::{Kind, MessageStatus, Side, Terms};
use std::collections::BTreeMap;

/// State roots of blocks that anybody may anchor.
pub(crate) type Roots = BTreeMap<B256, Snapshot>;

/// What the contracts see beside their own state.
pub(crate) struct Place<'a> {
    pub(crate) side: Side,
    pub(crate) roots: &'a Roots,
    /// The block that it is in, or would be.
    pub(crate) number: u64,
}

/// A transaction or call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) value: U256,
    pub(crate) data: &'a Bytes,
}

/// What a transaction did beside changing the state.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) output: Bytes,
    pub(crate) events: Vec<(Address, Event)>,
}

pub(crate) type Outcome = Result<Done, String>;

/// The signature of the function that call data is for; empty for none.
pub(crate) fn signature(data: &Bytes) -> &'static str {
    let calls = [pool::FUNCTIONS, gateways::FUNCTIONS, token::FUNCTIONS, organization::FUNCTIONS, vault::FUNCTIONS];
    let mut all = calls.into_iter().chain(gateways::VIEWS.iter().copied()).flatten();
    all.find(|known| data.0.starts_with(&known.selector)).map_or("", |known| known.signature)
}

/// The same without the arguments.
pub(crate) fn function(data: &Bytes) -> &'static str {
    signature(data).split('(').next().unwrap_or("")
}

pub(crate) fn words(data: &Bytes) -> Words<'_> {
    Words::new(data.0.get(4..).unwrap_or(&[]))
}

/// Carries a transaction out. After an error the state is to be thrown away.
pub(crate) fn execute(state: &mut State, place: &Place<'_>, call: Call<'_>) -> Outcome {
    let name = function(call.data);
    // Nothing else takes base coin along.
    let payable = name == "acceptRedeemRequest" || call.data.is_empty();
    if !payable && !call.value.is_zero() {
        return Err(String::new());
    }
    match name {
        "approve" => read(approve(state, call)),
        "acceptStakeRequest" => read(accept(state, place, Kind::Stake, call)),
        "acceptRedeemRequest" => read(accept(state, place, Kind::Redeem, call)),
        "" if call.data.is_empty() => {
            let value = call.value.to_u64().unwrap_or(u64::MAX);
            state.pay(names::COIN, call.from, call.to, value).ok_or_else(String::new)?;
            Ok(Done::default())
        }
        name if call.to == names::gateways().box_on(place.side) => read(boxes::execute(state, place, name, call)),
        other => Err(format!("no function {other}")),
    }
}

fn read(outcome: Result<Outcome, AbiError>) -> Outcome {
    outcome.unwrap_or_else(|error| Err(error.to_string()))
}

fn approve(state: &mut State, call: Call<'_>) -> Result<Outcome, AbiError> {
    let mut words = words(call.data);
    let (spender, amount) = (words.address()?, words.uint()?);
    state.allowances.insert((call.to, call.from, spender), amount);
    Ok(Ok(Done::default()))
}

/// The terms and the hash lock of an accept; the proxy is not among its arguments.
pub(crate) fn accepted(kind: Kind, data: &Bytes) -> Result<(Terms, B256), AbiError> {
    let mut words = words(data);
    let (amount, beneficiary) = (words.uint()?, words.address()?);
    let (gas_price, gas_limit, nonce) = (words.uint()?, words.uint()?, words.uint()?);
    let (sender, gateway, hash_lock) = (words.address()?, words.address()?, words.word()?);
    let mut terms = Terms {
        amount,
        beneficiary,
        gas_price,
        gas_limit,
        nonce,
        sender,
        sender_proxy: Address::ZERO,
        gateway,
        request_hash: B256::ZERO,
    };
    terms.request_hash = hashes::request_hash(kind, names::pool(kind), &terms);
    Ok((terms, hash_lock))
}

fn accept(state: &mut State, place: &Place<'_>, kind: Kind, call: Call<'_>) -> Result<Outcome, AbiError> {
    let (terms, hash_lock) = accepted(kind, call.data)?;
    if kind.source() != place.side || call.to != names::pool(kind) {
        return Ok(Err("no such function".to_owned()));
    }
    let admitted = admit(state, place, kind, &terms, call);
    Ok(admitted.and_then(|sender_proxy| declare(state, kind, &Terms { sender_proxy, ..terms }, hash_lock)))
}

/// What composer or pool does itself: the sender's proxy of now.
fn admit(state: &mut State, place: &Place<'_>, kind: Kind, terms: &Terms, call: Call<'_>) -> Result<Address, String> {
    let (who, what) = match kind {
        Kind::Stake => ("Staker", "Stake"),
        Kind::Redeem => ("Redeemer", "Redeem"),
    };
    // Not in the block of its expiry any more.
    if state.expires_at(call.from) <= U256::from(place.number) {
        return Err("Only whitelisted workers are allowed to call this method.".to_owned());
    }
    let proxy = state.proxy(terms.sender).ok_or_else(|| format!("{who}Proxy address is null."))?;
    if kind == Kind::Redeem && call.value != U256::from(state.bounty) {
        return Err("Bounty amount must be received.".to_owned());
    }
    let key = (terms.sender, terms.gateway);
    if state.pending.get(&key).is_none_or(|pending| pending.hash != terms.request_hash) {
        return Err(format!("{what} request must exists."));
    }
    let released = state.release(kind, key, terms.gateway);
    released.ok_or_else(|| format!("{what} amount must be transferred to the {what} proxy."))?;
    take_bounty(state, kind, terms, call).ok_or_else(String::new)?;
    Ok(proxy)
}

/// The bounty, to the gateway by way of the proxy. A foreign gateway names whatever the configured one does.
fn take_bounty(state: &mut State, kind: Kind, terms: &Terms, call: Call<'_>) -> Option<()> {
    let (token, bounty) = (names::bounty_token(kind), state.bounty);
    if kind == Kind::Stake {
        let left = state.allowance(token, call.from, call.to).checked_sub(U256::from(bounty))?;
        state.allowances.insert((token, call.from, call.to), left);
    }
    state.pay(token, call.from, terms.gateway, bounty)
}

/// What `stake` or `redeem` of the request's gateway does.
fn declare(state: &mut State, kind: Kind, terms: &Terms, hash_lock: B256) -> Outcome {
    let message = message_of(kind, terms, hash_lock, state.bounty);
    let hash = hashes::message_hash(&message.parts);
    if terms.gateway == FOREIGN_GATEWAY {
        // It answers whatever it is expected to answer.
        return Ok(Done { output: Bytes(hash.0.to_vec()), events: Vec::new() });
    }
    if message.reward() >= message.amount {
        return Err("Maximum possible reward must be less than the amount.".to_owned());
    }
    if terms.nonce != state.next_out(terms.sender_proxy) {
        return Err("Invalid nonce.".to_owned());
    }
    let last = state.out_active.get(&terms.sender_proxy).and_then(|hash| state.outbox.get(hash));
    if last.is_some_and(|message| !matches!(message.status, MessageStatus::Progressed | MessageStatus::Revoked)) {
        return Err("Previous process is not completed.".to_owned());
    }
    if state.outbox_status(hash) != MessageStatus::Undeclared {
        return Err("Message on source must be Undeclared.".to_owned());
    }
    state.declare(hash, message);
    let events = vec![(terms.gateway, declared(kind, hash, terms))];
    Ok(Done { output: Bytes(hash.0.to_vec()), events })
}

/// The message of a request, as it is declared.
pub(crate) fn message_of(kind: Kind, terms: &Terms, hash_lock: B256, bounty: u64) -> Message {
    let parts = MessageParts {
        intent_hash: hashes::intent_hash(kind, terms.amount, terms.beneficiary, terms.gateway),
        nonce: terms.nonce,
        gas_price: terms.gas_price,
        gas_limit: terms.gas_limit,
        sender: terms.sender_proxy,
        hash_lock,
    };
    let amount = terms.amount.to_u64().unwrap_or(u64::MAX);
    Message { status: MessageStatus::Declared, parts, amount, beneficiary: terms.beneficiary, bounty }
}

/// The event of a declared message.
pub(crate) fn declared(kind: Kind, message_hash: B256, terms: &Terms) -> Event {
    let Terms { amount, beneficiary, nonce, sender_proxy, .. } = *terms;
    match kind {
        Kind::Stake => {
            ev::StakeIntentDeclared { message_hash, staker: sender_proxy, nonce, beneficiary, amount }.into()
        }
        Kind::Redeem => {
            ev::RedeemIntentDeclared { message_hash, redeemer: sender_proxy, nonce, beneficiary, amount }.into()
        }
    }
}
