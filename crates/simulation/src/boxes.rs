//! Gateway and cogateway: proofs, confirmations and the two legs of a message, with the money that they move.

use crate::contracts::{Call, Done, Outcome, Place, words};
use crate::names;
use crate::state::{Message, PROVEN, Snapshot, State, incoming, outgoing};
use facilitator_eth::abi::AbiError;
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_protocol::events as ev;
use facilitator_protocol::events::Event;
use facilitator_protocol::hashes::{self, MessageParts};
use facilitator_protocol::model::{Kind, MessageStatus};
use facilitator_protocol::proof;

/// A transaction to the gateway or cogateway of the chain: each has the functions of its own two directions alone.
pub(crate) fn execute(state: &mut State, place: &Place<'_>, name: &str, call: Call<'_>) -> Result<Outcome, AbiError> {
    let of = |kind: Kind, stake: &str, redeem: &str| {
        name == match kind {
            Kind::Stake => stake,
            Kind::Redeem => redeem,
        }
    };
    let (out, into) = (outgoing(place.side), incoming(place.side));
    match name {
        "proveGateway" => prove(state, place, call),
        _ if of(into, "confirmStakeIntent", "confirmRedeemIntent") => confirm(state, place, into, call),
        _ if of(out, "progressStake", "progressRedeem") => progress_source(state, out, call),
        _ if of(into, "progressMint", "progressUnstake") => progress_target(state, into, call),
        _ => Ok(Err(format!("no function {name}"))),
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

/// What a confirmation says.
pub(crate) struct Confirmed {
    pub(crate) parts: MessageParts,
    pub(crate) amount: U256,
    pub(crate) beneficiary: Address,
    /// Of the proof.
    pub(crate) height: u64,
    nodes: Bytes,
}

/// Reads a confirmation; that of a redeem has the height before the lock.
pub(crate) fn confirmed(kind: Kind, data: &Bytes) -> Result<Confirmed, AbiError> {
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
    let parts = MessageParts { intent_hash, nonce, gas_price, gas_limit, sender, hash_lock };
    Ok(Confirmed { parts, amount, beneficiary, height, nodes: words.bytes()? })
}

fn confirm(state: &mut State, place: &Place<'_>, kind: Kind, call: Call<'_>) -> Result<Outcome, AbiError> {
    let asked = confirmed(kind, call.data)?;
    let Confirmed { parts, amount, beneficiary, height, nodes } = &asked;
    let hash = hashes::message_hash(parts);
    let refuse = |reason: &str| Ok(Err(reason.to_owned()));
    if beneficiary.is_zero() {
        return refuse("Beneficiary address must not be zero.");
    }
    if parts.nonce != state.next_in(parts.sender) {
        return refuse("Invalid nonce");
    }
    let last = state.in_active.get(&parts.sender).and_then(|hash| state.inbox.get(hash));
    if last.is_some_and(|message| !matches!(message.status, MessageStatus::Progressed | MessageStatus::Revoked)) {
        return refuse("Previous process is not completed");
    }
    let Some((_, root)) = state.proven.iter().find(|(known, _)| known == height) else {
        return refuse("Storage root must not be zero");
    };
    let proves = |snapshot: &Snapshot| snapshot.declared(hash) && snapshot.nodes_of(hash).as_ref() == Some(nodes);
    if !place.roots.get(root).is_some_and(proves) {
        return refuse("Merkle proof verification failed.");
    }
    let amount = amount.to_u64().unwrap_or(u64::MAX);
    let message =
        Message { status: MessageStatus::Declared, parts: *parts, amount, beneficiary: *beneficiary, bounty: 0 };
    state.in_active.insert(parts.sender, hash);
    state.inbox.insert(hash, message);
    Ok(Ok(Done { output: Bytes::default(), events: vec![(call.to, confirmation(kind, hash, &asked))] }))
}

fn confirmation(kind: Kind, message_hash: B256, asked: &Confirmed) -> Event {
    let MessageParts { nonce, sender, hash_lock, .. } = asked.parts;
    let Confirmed { beneficiary, amount, height: block_height, .. } = *asked;
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

fn progress_source(state: &mut State, kind: Kind, call: Call<'_>) -> Result<Outcome, AbiError> {
    let (hash, secret) = revealed(call.data)?;
    let unlocked = unlock(state.outbox.get_mut(&hash), secret);
    Ok(unlocked.and_then(|message| {
        state.settle_source(kind, &message, call.from).ok_or_else(String::new)?;
        let event = source_progressed(kind, hash, &message, secret);
        Ok(Done { output: Bytes::default(), events: vec![(call.to, event)] })
    }))
}

/// The event of a source leg.
pub(crate) fn source_progressed(kind: Kind, message_hash: B256, message: &Message, unlock_secret: B256) -> Event {
    let MessageParts { nonce, sender, .. } = message.parts;
    let (amount, proof_progress) = (U256::from(message.amount), false);
    match kind {
        Kind::Stake => {
            let staker = sender;
            ev::StakeProgressed { message_hash, staker, nonce, amount, proof_progress, unlock_secret }.into()
        }
        Kind::Redeem => {
            let redeemer = sender;
            ev::RedeemProgressed { message_hash, redeemer, nonce, amount, proof_progress, unlock_secret }.into()
        }
    }
}

fn progress_target(state: &mut State, kind: Kind, call: Call<'_>) -> Result<Outcome, AbiError> {
    let (hash, secret) = revealed(call.data)?;
    let unlocked = unlock(state.inbox.get_mut(&hash), secret);
    Ok(unlocked.and_then(|message| {
        state.settle_target(kind, &message, call.from).ok_or_else(String::new)?;
        let event = target_progressed(kind, hash, &message, secret);
        Ok(Done { output: Bytes::default(), events: vec![(call.to, event)] })
    }))
}

/// The event of a target leg.
fn target_progressed(kind: Kind, message_hash: B256, message: &Message, unlock_secret: B256) -> Event {
    let Message { parts: MessageParts { sender, .. }, beneficiary, amount, .. } = *message;
    let (whole, reward_amount) = (U256::from(amount), U256::from(message.reward()));
    let (rest, proof_progress) = (whole.saturating_sub(reward_amount), false);
    match kind {
        Kind::Stake => ev::MintProgressed {
            message_hash,
            staker: sender,
            beneficiary,
            stake_amount: whole,
            minted_amount: rest,
            reward_amount,
            proof_progress,
            unlock_secret,
        }
        .into(),
        Kind::Redeem => ev::UnstakeProgressed {
            message_hash,
            redeemer: sender,
            beneficiary,
            redeem_amount: whole,
            unstake_amount: rest,
            reward_amount,
            proof_progress,
            unlock_secret,
        }
        .into(),
    }
}
