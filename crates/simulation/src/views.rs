//! Questions to the modelled contracts, answered from one state.

use crate::contracts::{self, Call, Place, execute, words};
use crate::names;
use crate::state::{State, number_of};
use facilitator_eth::abi::{AbiError, Revert, Value, encode};
use facilitator_eth::{Address, B256, Bytes, U256};

/// What a call returns on this state, or why it reverts.
pub(crate) fn call(state: &State, place: &Place<'_>, asked: Call<'_>) -> Result<Bytes, Revert> {
    if let Ok(Some(values)) = view(state, asked.data) {
        return Ok(Bytes(encode(&values)));
    }
    let mut scratch = state.clone();
    let done = execute(&mut scratch, place, asked);
    done.map(|done| done.output).map_err(|reason| match reason.is_empty() {
        true => Revert::Empty,
        false => Revert::Reason(reason),
    })
}

/// `None` for what is no view.
fn view(state: &State, data: &Bytes) -> Result<Option<Vec<Value>>, AbiError> {
    let mut words = words(data);
    let value = match contracts::signature(data) {
        "getOutboxMessageStatus(bytes32)" => number(number_of(state.outbox_status(words.word()?))),
        "getInboxMessageStatus(bytes32)" => number(number_of(state.inbox_status(words.word()?))),
        "stakeRequestHashes(address,address)" | "redeemRequestHashes(address,address)" => {
            let key = (words.address()?, words.address()?);
            Value::Word(state.pending.get(&key).copied().unwrap_or(B256::ZERO))
        }
        "stakerProxies(address)" | "redeemerProxies(address)" => {
            Value::Address(state.proxy(words.address()?).unwrap_or(Address::ZERO))
        }
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
        "balanceOf(address)" => number(balance(state, words.address()?)),
        "bounty()" => number(state.bounty),
        "activated()" | "exists(address)" | "increaseSupply(address,uint256)" => Value::Bool(true),
        "workers(address)" => Value::Uint(state.expires_at(words.address()?)),
        _ => return Ok(None),
    };
    Ok(Some(vec![value]))
}

fn active(hash: Option<&B256>) -> B256 {
    hash.copied().unwrap_or(B256::ZERO)
}

/// Of a pool: what it holds of all pending requests.
fn balance(state: &State, owner: Address) -> u64 {
    let set = names::gateways();
    if owner == set.composer || Some(owner) == set.redeem_pool { state.escrow } else { state.tokens(owner) }
}

fn message(state: &State, hash: B256) -> Vec<Value> {
    let found = state.outbox.get(&hash).or_else(|| state.inbox.get(&hash));
    let Some(parts) = found.map(|message| message.parts) else { return vec![number(0); 7] };
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
