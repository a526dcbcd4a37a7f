//! The parameters of the life cycle: seeded once from a configuration, then the database's, so that all instances go by
//! the same (H12, H14).

use crate::{
    Store,
    db::{Row, Tx, args},
    error::Result,
};
use facilitator_heartbeat::Params;
use std::collections::BTreeMap;

impl Store {
    /// The parameters in force; those that are not stored yet are taken from `configured` and stored.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn seed_parameters(&self, configured: &Params, now_ms: i64) -> Result<Params> {
        let mut tx = self.db.begin().await?;
        for (name, value) in configured.named() {
            let sql = "INSERT INTO parameters (name, value, updated_at_ms) VALUES ($1, $2, $3)
                ON CONFLICT (name) DO NOTHING";
            tx.execute(sql, args![name, value, now_ms]).await?;
        }
        let params = stored(&mut tx, configured).await?;
        tx.commit().await?;
        Ok(params)
    }

    /// The parameters in force, and `otherwise` where none are stored.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn parameters(&self, otherwise: &Params) -> Result<Params> {
        let mut rows = self.db.fetch(ALL, Vec::new()).await?;
        overlay(&mut rows, otherwise)
    }

    /// Stores parameters for all instances.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn set_parameters(&self, params: &Params, now_ms: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        for (name, value) in params.named() {
            let sql = "INSERT INTO parameters (name, value, updated_at_ms) VALUES ($1, $2, $3)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at_ms = excluded.updated_at_ms
                    WHERE parameters.value <> excluded.value";
            tx.execute(sql, args![name, value, now_ms]).await?;
        }
        tx.commit().await
    }
}

const ALL: &str = "SELECT name, value FROM parameters";

async fn stored(tx: &mut Tx, otherwise: &Params) -> Result<Params> {
    overlay(&mut tx.fetch(ALL, Vec::new()).await?, otherwise)
}

fn overlay(rows: &mut [Row], otherwise: &Params) -> Result<Params> {
    let known = rows.iter_mut().map(|row| Ok((row.take()?, row.take()?))).collect::<Result<BTreeMap<String, i64>>>()?;
    Ok(otherwise.with(&known))
}
