//! Every message of the configured gateways, whoever declared it: in which blocks its life went on.
//!
//! Invariant: a block number stands in a row if and only if the event stands in a scanned block of the chain as it is
//! now. It is written with the event and undone with it (law 6).

use super::derive::Place;
use crate::{
    db::{Tx, args},
    error::Result,
};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::{events::Event, gateway::GatewaySet, model::Kind};

/// What an event says of a message: its kind, the column of the block, and who sent it where the event tells.
struct Note {
    kind: Kind,
    column: &'static str,
    sender: Option<(Address, U256)>,
}

const DECLARED: &str = "declared_block";
const CONFIRMED: &str = "confirmed_block";
const SOURCE_PROGRESSED: &str = "source_progressed_block";
const TARGET_PROGRESSED: &str = "target_progressed_block";
const REVOCATION: &str = "revocation_block";
const REVOCATION_CONFIRMED: &str = "revocation_confirmed_block";
const REVERTED: &str = "reverted_block";

/// Columns by the chain that they are of.
const ON_SOURCE: [&str; 4] = [DECLARED, SOURCE_PROGRESSED, REVOCATION, REVERTED];
const ON_TARGET: [&str; 3] = [CONFIRMED, TARGET_PROGRESSED, REVOCATION_CONFIRMED];

fn note(event: &Event) -> Option<Note> {
    use Kind::{Redeem, Stake};
    let (kind, column, sender) = match event {
        Event::StakeIntentDeclared(e) => (Stake, DECLARED, Some((e.staker, e.nonce))),
        Event::RedeemIntentDeclared(e) => (Redeem, DECLARED, Some((e.redeemer, e.nonce))),
        Event::StakeIntentConfirmed(e) => (Stake, CONFIRMED, Some((e.staker, e.nonce))),
        Event::RedeemIntentConfirmed(e) => (Redeem, CONFIRMED, Some((e.redeemer, e.nonce))),
        Event::StakeProgressed(_) => (Stake, SOURCE_PROGRESSED, None),
        Event::RedeemProgressed(_) => (Redeem, SOURCE_PROGRESSED, None),
        Event::MintProgressed(_) => (Stake, TARGET_PROGRESSED, None),
        Event::UnstakeProgressed(_) => (Redeem, TARGET_PROGRESSED, None),
        Event::RevertStakeIntentDeclared(_) => (Stake, REVOCATION, None),
        Event::RevertRedeemDeclared(_) => (Redeem, REVOCATION, None),
        Event::RevertStakeIntentConfirmed(_) => (Stake, REVOCATION_CONFIRMED, None),
        Event::RevertRedeemIntentConfirmed(_) => (Redeem, REVOCATION_CONFIRMED, None),
        Event::StakeReverted(_) => (Stake, REVERTED, None),
        Event::RedeemReverted(_) => (Redeem, REVERTED, None),
        // The last two are declared by the contracts and never emitted.
        Event::RevertStakeProgressed(_) | Event::RevertRedeemComplete(_) => return None,
        Event::StakeRequested(_)
        | Event::StakeRevoked(_)
        | Event::StakeRejected(_)
        | Event::RedeemRequested(_)
        | Event::RedeemRevoked(_)
        | Event::RedeemRejected(_)
        | Event::GatewayProven(_)
        | Event::BountyChangeInitiated(_)
        | Event::BountyChangeConfirmed(_)
        | Event::StateRootAvailable(_)
        | Event::WorkerSet(_)
        | Event::WorkerUnset(_) => return None,
    };
    Some(Note { kind, column, sender })
}

/// Records what an event says of its message. The later steps of a message whose declaration and confirmation lie before
/// the first scanned block are not recorded.
pub(super) async fn record(tx: &mut Tx, set: &GatewaySet, hash: B256, event: &Event, place: &Place) -> Result<()> {
    let Some(Note { kind, column, sender }) = note(event) else { return Ok(()) };
    let (gateway, block) = (set.box_on(kind.source()), place.at.block_number);
    let Some((sender, nonce)) = sender else {
        let sql =
            format!("UPDATE messages SET {column} = $4 WHERE kind = $1 AND gateway_address = $2 AND message_hash = $3");
        return tx.execute(sql, args![kind, gateway, hash, block]).await.map(drop);
    };
    let sql = format!(
        "INSERT INTO messages (kind, gateway_address, message_hash, sender, nonce, source_chain_id, target_chain_id,
            {column})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (kind, gateway_address, message_hash) DO UPDATE SET {column} = excluded.{column}"
    );
    let chains = (set.chain_id(kind.source()), set.chain_id(kind.target()));
    tx.execute(sql, args![kind, gateway, hash, sender, nonce, chains.0, chains.1, block]).await.map(drop)
}

/// Undoes what blocks of a chain above a height had said.
pub(super) async fn undo(tx: &mut Tx, chain_id: u64, above: i64) -> Result<()> {
    for (chain, columns) in [("source_chain_id", ON_SOURCE.as_slice()), ("target_chain_id", ON_TARGET.as_slice())] {
        let undone = |column: &&str| format!("{column} = CASE WHEN {column} > $2 THEN NULL ELSE {column} END");
        let set: Vec<String> = columns.iter().map(undone).collect();
        let above_it: Vec<String> = columns.iter().map(|column| format!("{column} > $2")).collect();
        let sql = format!("UPDATE messages SET {} WHERE {chain} = $1 AND ({})", set.join(", "), above_it.join(" OR "));
        tx.execute(sql, args![chain_id, above]).await?;
    }
    tx.execute("DELETE FROM messages WHERE declared_block IS NULL AND confirmed_block IS NULL", Vec::new())
        .await
        .map(drop)
}
