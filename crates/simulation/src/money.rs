//! The operator's money when all has ended: every bounty is back, every reward is there, and the rest was burnt as gas.

use crate::chain::{Chain, WORKER_TOKENS};
use crate::disk::Disk;
use crate::names::{self, COIN, Pair};
use crate::state::incoming;
use crate::truth::{Found, found};
use crate::world::SIDES;
use facilitator_eth::{Address, U256};
use facilitator_protocol::model::{Kind, Side, State};
use std::collections::BTreeMap;

/// Compares what the workers have with what they should have by the rows.
pub(crate) fn is_whole(chains: &Pair<Chain>, disk: &Disk, workers: &Pair<Vec<Address>>) -> Found {
    let set = names::gateways();
    for side in SIDES {
        let state = chains[side].state();
        let (count, rewards) = (workers[side].len() as u64, rewards(disk, incoming(side)));
        let books = match side {
            Side::Origin => vec![
                ("base coin", COIN, state.given - state.burnt),
                ("bounties of stakes", set.base_token, count * WORKER_TOKENS),
                ("rewards of redeems", set.value_token, rewards),
            ],
            // The bounties of redeems, the rewards of stakes and all gas are one coin.
            Side::Auxiliary => vec![("base coin", COIN, state.given + rewards - state.burnt)],
        };
        for (what, token, expected) in books {
            let held: u64 = workers[side].iter().map(|worker| state.held(token, *worker)).sum();
            if held != expected {
                return found("the money is there", format!("{side}, {what}: {held} instead of {expected}"));
            }
        }
    }
    None
}

/// What the target legs of a kind paid, by the rows. A request that was made again by way of a new proxy has the hash of
/// the former one: then both rows may tell of one message.
fn rewards(disk: &Disk, kind: Kind) -> u64 {
    let done = disk.all().filter(|request| request.kind == kind && request.state == State::Complete);
    let paid: BTreeMap<_, _> = done.map(|request| (request.message_hash, request.reward)).collect();
    let paid = paid.into_values().flatten().fold(U256::ZERO, U256::saturating_add);
    paid.to_u64().unwrap_or(u64::MAX)
}
