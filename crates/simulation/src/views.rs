//! Questions to the modelled contracts, answered from one state. Each contract answers its own alone: what another one is
//! asked for reverts.

use crate::contracts::{self, Call, Place, execute, words};
use crate::names::{self, FOREIGN_GATEWAY};
use crate::state::{Pending, State, number_of, outgoing};
use facilitator_eth::abi::{AbiError, Revert, Value, encode};
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_protocol::model::{Kind, Side};

/// What a call returns on this state, or why it reverts.
pub(crate) fn call(state: &State, place: &Place<'_>, asked: Call<'_>) -> Result<Bytes, Revert> {
    if let Ok(Some(values)) = view(state, place.side, asked) {
        return Ok(Bytes(encode(&values)));
    }
    let mut scratch = state.clone();
    let done = execute(&mut scratch, place, asked);
    done.map(|done| done.output).map_err(|reason| match reason.is_empty() {
        true => Revert::Empty,
        false => Revert::Reason(reason),
    })
}

/// `None` for what is no view of the contract.
fn view(state: &State, side: Side, asked: Call<'_>) -> Result<Option<Vec<Value>>, AbiError> {
    let signature = contracts::signature(asked.data);
    let (set, to) = (names::gateways(), asked.to);
    let values = if to == set.box_on(side) || to == FOREIGN_GATEWAY {
        box_view(state, side, signature, asked.data)?
    } else if to == names::pool(outgoing(side)) {
        pool_view(state, outgoing(side), signature, asked.data)?
    } else if Some(to) == set.organization(outgoing(side)) && signature == "workers(address)" {
        Some(vec![Value::Uint(state.expires_at(words(asked.data).address()?))])
    } else {
        token_view(state, side, signature, asked)?
    };
    Ok(values)
}

fn pool_view(state: &State, kind: Kind, signature: &str, data: &Bytes) -> Result<Option<Vec<Value>>, AbiError> {
    let mut words = words(data);
    let (requests, proxies) = match kind {
        Kind::Stake => ("stakeRequestHashes(address,address)", "stakerProxies(address)"),
        Kind::Redeem => ("redeemRequestHashes(address,address)", "redeemerProxies(address)"),
    };
    Ok(if signature == requests {
        let key = (words.address()?, words.address()?);
        let hash = state.pending.get(&key).map_or(B256::ZERO, |Pending { hash, .. }| *hash);
        Some(vec![Value::Word(hash)])
    } else if signature == proxies {
        Some(vec![Value::Address(state.proxy(words.address()?).unwrap_or(Address::ZERO))])
    } else {
        None
    })
}

fn box_view(state: &State, side: Side, signature: &str, data: &Bytes) -> Result<Option<Vec<Value>>, AbiError> {
    let mut words = words(data);
    let value = match signature {
        "getOutboxMessageStatus(bytes32)" => number(number_of(state.outbox_status(words.word()?))),
        "getInboxMessageStatus(bytes32)" => number(number_of(state.inbox_status(words.word()?))),
        "getNonce(address)" => Value::Uint(state.next_out(words.address()?)),
        "getOutboxActiveProcess(address)" => {
            let hash = active(state.out_active.get(&words.address()?));
            return Ok(Some(vec![Value::Word(hash), number(number_of(state.outbox_status(hash)))]));
        }
        "getInboxActiveProcess(address)" => {
            let hash = active(state.in_active.get(&words.address()?));
            return Ok(Some(vec![Value::Word(hash), number(number_of(state.inbox_status(hash)))]));
        }
        "messages(bytes32)" => return Ok(Some(message(state, words.word()?))),
        "bounty()" => number(state.bounty),
        // The cogateway can't be deactivated and has no such flag.
        "activated()" if side == Side::Origin => Value::Bool(true),
        _ => return Ok(None),
    };
    Ok(Some(vec![value]))
}

/// What tokens and the vault are asked for, down to what only their gateway may do.
fn token_view(state: &State, side: Side, signature: &str, asked: Call<'_>) -> Result<Option<Vec<Value>>, AbiError> {
    let mut words = words(asked.data);
    let set = names::gateways();
    let own = asked.from == set.box_on(side);
    Ok(match signature {
        "balanceOf(address)" => Some(vec![number(state.held(asked.to, words.address()?))]),
        "exists(address)" if asked.to == set.utility_token => Some(vec![Value::Bool(!words.address()?.is_zero())]),
        "increaseSupply(address,uint256)" if asked.to == set.utility_token && own => {
            pays(state, Kind::Stake, &mut words)?
        }
        "releaseTo(address,uint256)" if asked.to == set.stake_vault && own => pays(state, Kind::Redeem, &mut words)?,
        _ => None,
    })
}

/// Whether the target leg of a kind can pay so much; `None` is a revert.
fn pays(
    state: &State,
    kind: Kind,
    words: &mut facilitator_eth::abi::Words<'_>,
) -> Result<Option<Vec<Value>>, AbiError> {
    let (token, from) = names::payer(kind);
    let (_, amount) = (words.address()?, words.uint()?);
    Ok((U256::from(state.held(token, from)) >= amount).then(|| vec![Value::Bool(true)]))
}

fn active(hash: Option<&B256>) -> B256 {
    hash.copied().unwrap_or(B256::ZERO)
}

/// A message is forgotten when its sender has a later one in the same direction.
fn message(state: &State, hash: B256) -> Vec<Value> {
    let found = state.outbox.get(&hash).filter(|message| state.out_active.get(&message.parts.sender) == Some(&hash));
    let inbox = || state.inbox.get(&hash).filter(|message| state.in_active.get(&message.parts.sender) == Some(&hash));
    let Some(parts) = found.or_else(inbox).map(|message| message.parts) else { return vec![number(0); 7] };
    vec![
        Value::Word(parts.intent_hash),
        Value::Uint(parts.nonce),
        Value::Uint(parts.gas_price),
        Value::Uint(parts.gas_limit),
        Value::Address(parts.sender),
        Value::Word(parts.hash_lock),
        number(0),
    ]
}

fn number(value: u64) -> Value {
    Value::Uint(U256::from(value))
}
