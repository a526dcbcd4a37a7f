//! What must be true when the faults have ended: nothing is open, and what the rows say is what the chains say.

use crate::allowance::left_over;
use crate::chain::Chain;
use crate::disk::{Disk, Row};
use crate::money::is_whole;
use crate::names::Pair;
use crate::truth::{Found, Truth, found};
use crate::world::SIDES;
use facilitator_eth::Address;
use facilitator_protocol::model::{MessageStatus, State};
use facilitator_store::journal::EntryState;

/// What is still open when the weather is good; `None` when all is done.
pub(crate) fn open(truth: &Truth, chains: &Pair<Chain>, disk: &Disk) -> Option<String> {
    for side in SIDES {
        for (tx, block) in &truth.asked[side] {
            let row = disk.requests.values().find(|row| row.request.position.tx_hash == *tx);
            match row {
                Some(row) if row.request.state.is_end() => {}
                Some(row) => {
                    let request = &row.request;
                    let (state, waits, error) = (request.state, &request.waiting_for, &request.last_error);
                    let Row { ready, claimed, retry_at_ms, wait, orphaned, .. } = row;
                    return Some(format!(
                        "request {} is {state:?}, waits for {waits:?}; {error:?}; ready {ready}, claimed {claimed}, again \
                         at {retry_at_ms:?}, {wait:?}, orphaned {orphaned}",
                        request.id
                    ));
                }
                None => return Some(format!("{side}: the request of block {block} has no row")),
            }
        }
        let dead = [EntryState::Final, EntryState::Failed];
        if let Some(entry) = disk.journals[side].entries.values().find(|entry| !dead.contains(&entry.state)) {
            let (intent, state, nonce) = (&entry.intent, entry.state, entry.nonce);
            return Some(format!("{side}: {intent} is {state} with nonce {nonce:?}, {:?}", entry.waiting_for));
        }
        if let Some(tx) = chains[side].pool.iter().find(|tx| truth.is_ours(tx)) {
            return Some(format!("{side}: {} with nonce {} is in the pool for ever", tx.intent, tx.nonce));
        }
    }
    None
}

/// Whether the ends are true: complete where both boxes say so, and the other way round.
pub(crate) fn at_the_end(truth: &Truth, chains: &Pair<Chain>, disk: &Disk, workers: &Pair<Vec<Address>>) -> Found {
    if truth.deep {
        return None;
    }
    for row in disk.requests.values().filter(|row| !row.orphaned) {
        let request = &row.request;
        let Some(message) = request.message_hash else { continue };
        // Made again after a withdrawal, it has the same message: that is the later one's.
        let again = |row: &&Row| row.request.message_hash == Some(message) && row.request.id > request.id;
        let given_back = matches!(request.state, State::Revoked | State::Rejected);
        if given_back && disk.requests.values().any(|row| again(&row)) {
            continue;
        }
        let outbox = chains[request.kind.source()].state().outbox_status(message);
        let inbox = chains[request.kind.target()].state().inbox_status(message);
        let done = outbox == MessageStatus::Progressed && inbox == MessageStatus::Progressed;
        let stranded = outbox == MessageStatus::Declared || (outbox == MessageStatus::Progressed) != done;
        if stranded || (request.state == State::Complete) != done {
            let text =
                format!("request {} is {:?}: {outbox} in the outbox, {inbox} in the inbox", request.id, request.state);
            return found("ends are true", text);
        }
    }
    left_over(truth, chains, disk).or_else(|| is_whole(chains, disk, workers))
}
