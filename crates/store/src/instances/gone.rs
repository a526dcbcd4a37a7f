//! What an instance leaves that may not work any more: its claims, what it has not signed yet, its accounts.
//!
//! Judged by how things stand, whenever the instances are tended, not by the change that led there: who had not yet heard
//! of its new status may have stored something since, and a key that is in no config any more belongs to no instance
//! whose status could change. What is signed stays as it is: another instance sees it through with the same bytes
//! ([`crate::journal::Journal::orphans`]).

use crate::{
    db::{Row, Tx, args, in_list},
    error::Result,
    journal::EntryId,
    requests,
};
use facilitator_heartbeat::Moved;
use facilitator_protocol::model::RequestId;

/// Row numbers in one question.
const AT_ONCE: usize = 500;

/// Frees claims of all who may not work: another one takes them over. The holder's later writes find that the claim is
/// lost. Also those of names that nobody has.
pub(super) async fn free_claims(tx: &mut Tx) -> Result<u64> {
    let sql = format!("SELECT id FROM requests WHERE {STRAY} ORDER BY id");
    let stray = tx.fetch(sql, Vec::new()).await?.into_iter().map(|mut row| row.take());
    let stray: Vec<RequestId> = stray.collect::<Result<_>>()?;
    if stray.is_empty() {
        return Ok(0);
    }
    requests::lock(tx, stray.into_iter()).await?;
    let sql = format!("UPDATE requests SET claimed_by = NULL, pid = NULL, ready = 1, wakes = wakes + 1 WHERE {STRAY}");
    tx.execute(sql, Vec::new()).await
}

/// Claimed by nobody who works.
const STRAY: &str = "claimed_by IS NOT NULL AND claimed_by NOT IN
    (SELECT name FROM instances WHERE status IN ('active', 'request_maintenance'))";

/// Those who stopped working, by the accounts of those who did not stop by themselves: whoever sees through what they
/// have signed need not wait for the leases to run out.
pub(super) async fn give_up_leases(tx: &mut Tx, me: &str, moved: &[Moved]) -> Result<()> {
    for gone in stopped(moved).filter(|gone| gone.name != me) {
        tx.execute("UPDATE leases SET expires_at_ms = 0 WHERE owner = $1", args![gone.name]).await?;
    }
    Ok(())
}

fn stopped(moved: &[Moved]) -> impl Iterator<Item = &Moved> {
    moved.iter().filter(|moved| moved.from.may_sign() && !moved.to.may_sign())
}

/// Ends the intents that are queued for keys of nobody who may work, so that whoever works on their requests submits them
/// again; how many.
pub(super) async fn free_intents(tx: &mut Tx, now_ms: i64) -> Result<u64> {
    let unsigned = unsigned(tx).await?;
    if unsigned.is_empty() {
        return Ok(0);
    }
    let waiting = waiting(tx, &unsigned).await?;
    requests::lock(tx, waiting.into_iter()).await?;
    let mut freed = 0_u64;
    for id in &unsigned {
        let sql = "UPDATE transactions SET state = 'failed', waiting_for = NULL, failure_kind = 'interrupted',
                failure = 'no instance that may work has its key: whoever works on the request submits it again',
                updated_at_ms = $2
            WHERE id = $1 AND state = 'queued' AND nonce IS NULL";
        if tx.execute(sql, args![id, now_ms]).await? == 0 {
            continue;
        }
        freed = freed.saturating_add(1);
        let sql = "UPDATE requests SET wakes = wakes + 1, ready = 1
            WHERE id IN (SELECT request_id FROM waiters WHERE transaction_id = $1)";
        tx.execute(sql, args![id]).await?;
    }
    Ok(freed)
}

/// Intents that were never signed, for keys of nobody who may work.
async fn unsigned(tx: &mut Tx) -> Result<Vec<EntryId>> {
    // The first condition is that of the index.
    let sql = format!(
        "SELECT t.id FROM transactions AS t
        WHERE t.state IN ('queued', 'signed', 'broadcast', 'mined') AND t.state = 'queued' AND t.nonce IS NULL
          AND t.account IS NOT NULL AND {UNTENDED} ORDER BY t.id"
    );
    tx.fetch(sql, Vec::new()).await?.into_iter().map(|mut row: Row| row.take()).collect()
}

/// A condition upon `transactions AS t`: no instance that may work has the key of the account, perhaps because it is in
/// no config any more.
pub(crate) const UNTENDED: &str =
    "NOT EXISTS (SELECT 1 FROM instance_keys AS k JOIN instances AS i ON i.id = k.instance_id
    WHERE k.chain_id = t.chain_id AND k.account = t.account AND i.status IN ('active', 'request_maintenance'))";

async fn waiting(tx: &mut Tx, entries: &[EntryId]) -> Result<Vec<RequestId>> {
    let mut found = Vec::new();
    for chunk in entries.chunks(AT_ONCE) {
        let (list, values) = in_list(chunk.iter().map(|id| id.0), 1)?;
        let sql = format!("SELECT DISTINCT request_id FROM waiters WHERE transaction_id IN ({list})");
        for mut row in tx.fetch(sql, values).await? {
            found.push(row.take()?);
        }
    }
    Ok(found)
}
