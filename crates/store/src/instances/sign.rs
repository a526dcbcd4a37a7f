//! The gate of every signature: who signs works, and nobody else works on what it signs for.

use crate::{
    db::{Tx, args, in_list},
    error::{Result, StoreError},
    journal::EntryId,
};
use std::collections::BTreeMap;

/// Admits signatures and counts those with a new nonce, in the transaction that stores them (H20, H26). `signing`: entries
/// by the name of the instance that signs.
///
/// # Errors
/// [`StoreError::MayNotSign`] if an instance may not work at present. The transaction must not be committed then.
pub(crate) async fn admit(tx: &mut Tx, signing: &BTreeMap<&str, Vec<EntryId>>) -> Result<()> {
    for (instance, entries) in signing {
        let (list, mut values) = in_list(entries.iter().map(|id| id.0), 2)?;
        values.splice(0..0, args![*instance]);
        let sql = format!(
            "UPDATE instances SET txs_signed = txs_signed +
                 (SELECT COUNT(*) FROM transactions WHERE id IN ({list}) AND nonce IS NULL)
             WHERE name = $1 AND status IN ('active', 'request_maintenance')"
        );
        if tx.execute(sql, values).await? == 0 {
            return Err(refused(tx, instance).await?);
        }
    }
    Ok(())
}

/// Fails if an instance of the name may not sign. It may be told a moment later, so what is stored after a change of its
/// status is looked for whenever the instances are tended; a name without instance is nobody's to judge.
///
/// # Errors
/// [`StoreError::MayNotSign`]. The transaction must not be committed then.
pub(crate) async fn refuse_idle(tx: &mut Tx, instance: &str) -> Result<()> {
    let sql = "SELECT status FROM instances WHERE name = $1 AND status NOT IN ('active', 'request_maintenance')";
    match tx.fetch_one(sql, args![instance]).await? {
        Some(mut row) => Err(StoreError::MayNotSign { instance: instance.to_owned(), status: row.take()? }),
        None => Ok(()),
    }
}

/// Fails if another instance works by now on a request that is to be signed for the first time, or was the last to do so
/// and may do so again.
///
/// A further attempt of what is signed already is let through: it is the same transaction at a higher fee, of which the
/// chain takes one, and whoever works on the request by now waits for it.
///
/// # Errors
/// [`StoreError::ClaimLost`] with all such entries. The transaction must not be committed then.
pub(crate) async fn check_claims(tx: &mut Tx, signing: &BTreeMap<&str, Vec<EntryId>>) -> Result<()> {
    let (mut entries, mut first) = (Vec::new(), None);
    for (instance, signed) in signing {
        let (list, values) = in_list(signed.iter().map(|id| id.0), 1)?;
        let sql = format!(
            "SELECT r.id, COALESCE(r.claimed_by, (SELECT i.name FROM instances AS i
                 WHERE i.name = r.holder AND i.status IN ('active', 'request_maintenance'))), t.id
             FROM requests AS r JOIN transactions AS t ON t.request_id = r.id
             WHERE t.id IN ({list}) AND t.nonce IS NULL ORDER BY r.id{}",
            tx.dialect().for_share_of("r")
        );
        for mut row in tx.fetch(sql, values).await? {
            let (request, holder, entry): (i64, Option<String>, EntryId) = (row.take()?, row.take()?, row.take()?);
            if let Some(holder) = holder.filter(|holder| holder != instance) {
                entries.push(entry);
                first.get_or_insert((request, holder));
            }
        }
    }
    first.map_or(Ok(()), |(request, holder)| Err(StoreError::ClaimLost { entries, request, holder }))
}

async fn refused(tx: &mut Tx, instance: &str) -> Result<StoreError> {
    let found = tx.fetch_one("SELECT status FROM instances WHERE name = $1", args![instance]).await?;
    let status = found.map(|mut row| row.take::<String>()).transpose()?;
    let status = status.unwrap_or_else(|| "not registered".to_owned());
    Ok(StoreError::MayNotSign { instance: instance.to_owned(), status })
}
