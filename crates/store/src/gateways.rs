//! The contracts of the configured gateway pairs, as read and checked at the last start.

use crate::{
    Store,
    db::{Row, Tx, args},
    error::Result,
    ledger,
    requests::served,
};
use facilitator_protocol::gateway::{GatewaySet, Mints};

const COLUMNS: &str = "origin_chain_id, auxiliary_chain_id, composer_address, gateway_address, anchor_address,
    cogateway_address, co_anchor_address, redeem_pool_address, composer_organization_address, value_token_address,
    base_token_address, utility_token_address, mints, message_box_offset, pool_organization_address,
    stake_vault_address";

impl Store {
    /// Replaces the configured gateway pairs: from now on only events of these contracts count (law 10). Requests of
    /// those that are new among them are taken up.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn set_gateways(&self, sets: &[GatewaySet], now_ms: i64) -> Result<()> {
        // Two that replace them at once would both insert the same rows.
        let mut tx = self.db.begin_alone().await?;
        let before = read(&mut tx).await?;
        tx.execute("DELETE FROM gateways", Vec::new()).await?;
        for set in sets {
            let sql = format!(
                "INSERT INTO gateways ({COLUMNS}, updated_at_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
            );
            let args = args![
                set.origin_chain_id,
                set.auxiliary_chain_id,
                set.composer,
                set.gateway,
                set.anchor,
                set.cogateway,
                set.co_anchor,
                set.redeem_pool,
                set.composer_organization,
                set.value_token,
                set.base_token,
                set.utility_token,
                mints_name(set.mints),
                u32::from(set.message_box_offset),
                set.pool_organization,
                set.stake_vault,
                now_ms,
            ];
            tx.execute(sql, args).await?;
            ledger::remember(&mut tx, set).await?;
            served::take_up(&mut tx, &before, set, now_ms).await?;
        }
        tx.commit().await
    }

    /// The configured gateway pairs.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database.
    pub async fn gateways(&self) -> Result<Vec<GatewaySet>> {
        self.db.fetch(select(), Vec::new()).await?.iter_mut().map(set).collect()
    }
}

pub(crate) async fn read(tx: &mut Tx) -> Result<Vec<GatewaySet>> {
    tx.fetch(select(), Vec::new()).await?.iter_mut().map(set).collect()
}

fn select() -> String {
    format!("SELECT {COLUMNS} FROM gateways ORDER BY gateway_address")
}

pub(crate) const fn mints_name(mints: Mints) -> &'static str {
    match mints {
        Mints::BaseCoin => "base_coin",
        Mints::Token => "token",
    }
}

fn set(row: &mut Row) -> Result<GatewaySet> {
    Ok(GatewaySet {
        origin_chain_id: row.take()?,
        auxiliary_chain_id: row.take()?,
        composer: row.take()?,
        gateway: row.take()?,
        anchor: row.take()?,
        cogateway: row.take()?,
        co_anchor: row.take()?,
        redeem_pool: row.take()?,
        composer_organization: row.take()?,
        value_token: row.take()?,
        base_token: row.take()?,
        utility_token: row.take()?,
        mints: mints(row)?,
        message_box_offset: u8::try_from(row.take::<u32>()?)
            .map_err(|_| row.damaged("column `message_box_offset` is above 255"))?,
        pool_organization: row.take()?,
        stake_vault: row.take()?,
    })
}

pub(crate) fn mints(row: &mut Row) -> Result<Mints> {
    let name: String = row.take()?;
    let known = [Mints::BaseCoin, Mints::Token].into_iter().find(|mints| mints_name(*mints) == name);
    known.ok_or_else(|| row.damaged(&format!("column `mints` is `{name}`")))
}
