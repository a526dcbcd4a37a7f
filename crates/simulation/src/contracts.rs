//! Transactions to the modelled contracts: from call data to a new state, events and return data, or to a revert.

use crate::names::{self, FOREIGN_GATEWAY};
use crate::state::{Message, PROVEN, Snapshot, State, incoming, outgoing};
use facilitator_eth::abi::{AbiError, Words};
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_protocol::contracts::{gateway as gateways, organization, pool, token};
use facilitator_protocol::events as ev;
use facilitator_protocol::events::Event;
use facilitator_protocol::hashes::{self, MessageParts};
use facilitator_protocol::model::{Kind, MessageStatus, Side, Terms};
use facilitator_protocol::proof;
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

type Outcome = Result<Done, String>;

/// The signature of the function that call data is for; empty for none.
pub(crate) fn signature(data: &Bytes) -> &'static str {
    let calls = [pool::FUNCTIONS, gateways::FUNCTIONS, token::FUNCTIONS, organization::FUNCTIONS];
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
    match function(call.data) {
        "approve" => read(approve(state, call)),
        "acceptStakeRequest" => read(accept(state, place, Kind::Stake, call)),
        "acceptRedeemRequest" => read(accept(state, place, Kind::Redeem, call)),
        "proveGateway" => read(prove(state, place, call)),
        "confirmStakeIntent" => read(confirm(state, place, Kind::Stake, call)),
        "confirmRedeemIntent" => read(confirm(state, place, Kind::Redeem, call)),
        "progressStake" | "progressRedeem" => read(progress_source(state, place, call)),
        "progressMint" | "progressUnstake" => read(progress_target(state, place, call)),
        "" if call.data.is_empty() => Ok(Done::default()),
        other => Err(format!("no function {other}")),
    }
}

fn read(outcome: Result<Outcome, AbiError>) -> Outcome {
    outcome.unwrap_or_else(|error| Err(error.to_string()))
}

fn approve(state: &mut State, call: Call<'_>) -> Result<Outcome, AbiError> {
    let mut words = words(call.data);
    let (spender, amount) = (words.address()?, words.uint()?);
    state.allowances.insert((call.from, spender), amount);
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
    let (mut terms, hash_lock) = accepted(kind, call.data)?;
    if state.expires_at(call.from) < U256::from(place.number) {
        return Ok(Err("Only whitelisted workers are allowed to call this method.".to_owned()));
    }
    match state.proxy(terms.sender) {
        Some(proxy) => terms.sender_proxy = proxy,
        None => return Ok(Err("StakerProxy address is null.".to_owned())),
    }
    if state.pending.get(&(terms.sender, terms.gateway)) != Some(&terms.request_hash) || kind.source() != place.side {
        return Ok(Err(format!("{} request must exists.", if kind == Kind::Stake { "Stake" } else { "Redeem" })));
    }
    if let Err(reason) = take_bounty(state, kind, &terms, call) {
        return Ok(Err(reason));
    }
    if terms.gateway == FOREIGN_GATEWAY {
        // It answers whatever it is expected to answer.
        let hash = hashes::message_hash(&parts_of(kind, &terms, hash_lock));
        return Ok(Ok(Done { output: Bytes(hash.0.to_vec()), events: Vec::new() }));
    }
    let last = state.out_active.get(&terms.sender_proxy).and_then(|hash| state.outbox.get(hash));
    if last.is_some_and(|message| !matches!(message.status, MessageStatus::Progressed | MessageStatus::Revoked)) {
        return Ok(Err("Previous process is not completed.".to_owned()));
    }
    if terms.nonce != state.next_out(terms.sender_proxy) {
        return Ok(Err("Invalid nonce.".to_owned()));
    }
    let parts = parts_of(kind, &terms, hash_lock);
    let hash = hashes::message_hash(&parts);
    state.escrow = state.escrow.saturating_sub(terms.amount.to_u64().unwrap_or(0));
    let message = Message { status: MessageStatus::Declared, parts, bounty: state.bounty };
    state.declare(terms.sender, terms.gateway, hash, message);
    let events = vec![(terms.gateway, declared(kind, hash, &terms))];
    Ok(Ok(Done { output: Bytes(hash.0.to_vec()), events }))
}

/// What a message of a request is made of.
pub(crate) fn parts_of(kind: Kind, terms: &Terms, hash_lock: B256) -> MessageParts {
    MessageParts {
        intent_hash: hashes::intent_hash(kind, terms.amount, terms.beneficiary, terms.gateway),
        nonce: terms.nonce,
        gas_price: terms.gas_price,
        gas_limit: terms.gas_limit,
        sender: terms.sender_proxy,
        hash_lock,
    }
}

fn take_bounty(state: &mut State, kind: Kind, terms: &Terms, call: Call<'_>) -> Result<(), String> {
    // A foreign gateway names whatever bounty the allowance gives.
    let bounty = if terms.gateway == FOREIGN_GATEWAY { U256::ONE } else { U256::from(state.bounty) };
    if kind == Kind::Redeem {
        return if call.value == bounty { Ok(()) } else { Err("Bounty amount must be received.".to_owned()) };
    }
    let left = state.allowance(call.from, call.to).checked_sub(bounty).ok_or_else(String::new)?;
    let tokens = state.tokens(call.from).checked_sub(bounty.to_u64().unwrap_or(u64::MAX)).ok_or_else(String::new)?;
    state.allowances.insert((call.from, call.to), left);
    state.tokens.insert(call.from, tokens);
    Ok(())
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

fn prove(state: &mut State, place: &Place<'_>, call: Call<'_>) -> Result<Outcome, AbiError> {
    let mut words = words(call.data);
    let (height, account, nodes) = (words.uint64()?, words.bytes()?, words.bytes()?);
    if state.proven.iter().any(|(known, _)| *known == height) {
        return Ok(Ok(Done::default()));
    }
    let anchored = state.anchored.iter().find(|(known, _)| *known == height).map(|(_, root)| *root);
    let Some(snapshot) = anchored.and_then(|root| place.roots.get(&root)) else {
        return Ok(Err("State root must not be zero.".to_owned()));
    };
    let proven = snapshot.prove(B256::ZERO);
    if account != proof::serialise_account(&proven) || nodes != proof::serialise_nodes(&proven.account_nodes) {
        return Ok(Err("Account proof is not verified.".to_owned()));
    }
    state.proven.push_back((height, anchored.unwrap_or_default()));
    if state.proven.len() > PROVEN {
        state.proven.pop_front();
    }
    let gateway = names::gateways().box_on(place.side.other());
    let event = ev::GatewayProven {
        gateway,
        block_height: height,
        storage_root: proven.storage_root,
        was_already_proved: false,
    };
    Ok(Ok(Done { output: Bytes::default(), events: vec![(call.to, event.into())] }))
}

/// A confirmation's message and the height of its proof.
pub(crate) fn confirmed(kind: Kind, data: &Bytes) -> Result<(MessageParts, u64, Bytes), AbiError> {
    let mut words = words(data);
    let (sender, nonce, beneficiary) = (words.address()?, words.uint()?, words.address()?);
    let (amount, gas_price, gas_limit) = (words.uint()?, words.uint()?, words.uint()?);
    let (hash_lock, height) = match kind {
        Kind::Stake => (words.word()?, words.uint64()?),
        Kind::Redeem => {
            let height = words.uint64()?;
            (words.word()?, height)
        }
    };
    let source = names::gateways().box_on(kind.source());
    let intent_hash = hashes::intent_hash(kind, amount, beneficiary, source);
    Ok((MessageParts { intent_hash, nonce, gas_price, gas_limit, sender, hash_lock }, height, words.bytes()?))
}

fn confirm(state: &mut State, place: &Place<'_>, kind: Kind, call: Call<'_>) -> Result<Outcome, AbiError> {
    let (parts, height, nodes) = confirmed(kind, call.data)?;
    let hash = hashes::message_hash(&parts);
    let refuse = |reason: &str| Ok(Err(reason.to_owned()));
    if parts.nonce != state.next_in(parts.sender) {
        return refuse("Invalid nonce");
    }
    let last = state.in_active.get(&parts.sender).and_then(|hash| state.inbox.get(hash));
    if last.is_some_and(|message| !matches!(message.status, MessageStatus::Progressed | MessageStatus::Revoked)) {
        return refuse("Previous process is not completed");
    }
    let Some((_, root)) = state.proven.iter().find(|(known, _)| *known == height) else {
        return refuse("Storage root must not be zero");
    };
    let proves = |snapshot: &Snapshot| snapshot.declared(hash) && snapshot.nodes_of(hash) == Some(nodes.clone());
    if !place.roots.get(root).is_some_and(proves) {
        return refuse("Merkle proof verification failed.");
    }
    state.in_active.insert(parts.sender, hash);
    state.inbox.insert(hash, Message { status: MessageStatus::Declared, parts, bounty: 0 });
    Ok(Ok(Done { output: Bytes::default(), events: vec![(call.to, confirmation(kind, hash, &parts, height))] }))
}

/// The event of a confirmed message; what nobody reads is left zero.
fn confirmation(kind: Kind, message_hash: B256, parts: &MessageParts, block_height: u64) -> Event {
    let MessageParts { nonce, sender, hash_lock, .. } = *parts;
    let (beneficiary, amount) = (Address::ZERO, U256::ZERO);
    match kind {
        Kind::Stake => {
            let staker = sender;
            ev::StakeIntentConfirmed { message_hash, staker, nonce, beneficiary, amount, block_height, hash_lock }
                .into()
        }
        Kind::Redeem => {
            let redeemer = sender;
            ev::RedeemIntentConfirmed { message_hash, redeemer, nonce, beneficiary, amount, block_height, hash_lock }
                .into()
        }
    }
}

/// Message and secret of a progress.
pub(crate) fn revealed(data: &Bytes) -> Result<(B256, B256), AbiError> {
    let mut words = words(data);
    Ok((words.word()?, words.word()?))
}

fn unlock(message: Option<&mut Message>, secret: B256) -> Result<Message, String> {
    let message = message.filter(|message| hashes::hash_lock(&secret.0) == message.parts.hash_lock);
    let message = message.ok_or("Invalid unlock secret.")?;
    if message.status != MessageStatus::Declared {
        return Err("Message must be Declared.".to_owned());
    }
    message.status = MessageStatus::Progressed;
    Ok(*message)
}

fn progress_source(state: &mut State, place: &Place<'_>, call: Call<'_>) -> Result<Outcome, AbiError> {
    let (hash, secret) = revealed(call.data)?;
    let Message { parts, bounty, .. } = match unlock(state.outbox.get_mut(&hash), secret) {
        Ok(message) => message,
        Err(reason) => return Ok(Err(reason)),
    };
    let kind = outgoing(place.side);
    if kind == Kind::Stake {
        *state.tokens.entry(call.from).or_default() += bounty;
    }
    Ok(Ok(Done { output: Bytes::default(), events: vec![(call.to, source_progressed(kind, hash, &parts, secret))] }))
}

/// The event of a source leg.
pub(crate) fn source_progressed(kind: Kind, message_hash: B256, parts: &MessageParts, unlock_secret: B256) -> Event {
    let (nonce, amount, proof_progress) = (parts.nonce, U256::ZERO, false);
    match kind {
        Kind::Stake => {
            let staker = parts.sender;
            ev::StakeProgressed { message_hash, staker, nonce, amount, proof_progress, unlock_secret }.into()
        }
        Kind::Redeem => {
            let redeemer = parts.sender;
            ev::RedeemProgressed { message_hash, redeemer, nonce, amount, proof_progress, unlock_secret }.into()
        }
    }
}

fn progress_target(state: &mut State, place: &Place<'_>, call: Call<'_>) -> Result<Outcome, AbiError> {
    let (message_hash, unlock_secret) = revealed(call.data)?;
    let parts = match unlock(state.inbox.get_mut(&message_hash), unlock_secret) {
        Ok(message) => message.parts,
        Err(reason) => return Ok(Err(reason)),
    };
    let (zero, beneficiary, proof_progress) = (U256::ZERO, Address::ZERO, false);
    let event: Event = match incoming(place.side) {
        Kind::Stake => ev::MintProgressed {
            message_hash,
            staker: parts.sender,
            beneficiary,
            stake_amount: zero,
            minted_amount: zero,
            reward_amount: zero,
            proof_progress,
            unlock_secret,
        }
        .into(),
        Kind::Redeem => ev::UnstakeProgressed {
            message_hash,
            redeemer: parts.sender,
            beneficiary,
            redeem_amount: zero,
            unstake_amount: zero,
            reward_amount: zero,
            proof_progress,
            unlock_secret,
        }
        .into(),
    };
    Ok(Ok(Done { output: Bytes::default(), events: vec![(call.to, event)] }))
}
