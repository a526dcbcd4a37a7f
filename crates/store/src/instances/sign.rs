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

/// Fails if another instance works by now on a request that is signed for.
///
/// # Errors
/// [`StoreError::ClaimLost`]. The transaction must not be committed then.
pub(crate) async fn check_claims(tx: &mut Tx, signing: &BTreeMap<&str, Vec<EntryId>>) -> Result<()> {
    for (instance, entries) in signing {
        let (list, values) = in_list(entries.iter().map(|id| id.0), 1)?;
        let sql = format!(
            "SELECT id, claimed_by FROM requests
             WHERE id IN (SELECT request_id FROM transactions WHERE id IN ({list})) ORDER BY id{}",
            tx.dialect().for_share()
        );
        for mut row in tx.fetch(sql, values).await? {
            let (request, holder): (i64, Option<String>) = (row.take()?, row.take()?);
            if let Some(holder) = holder.filter(|holder| holder != instance) {
                return Err(StoreError::ClaimLost { request, holder });
            }
        }
    }
    Ok(())
}

async fn refused(tx: &mut Tx, instance: &str) -> Result<StoreError> {
    let found = tx.fetch_one("SELECT status FROM instances WHERE name = $1", args![instance]).await?;
    let status = found.map(|mut row| row.take::<String>()).transpose()?;
    let status = status.unwrap_or_else(|| "not registered".to_owned());
    Ok(StoreError::MayNotSign { instance: instance.to_owned(), status })
}
