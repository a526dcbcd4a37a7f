//! Who may sign for an account: a lease with a fencing token.
//!
//! The token of an account only grows. Whoever acquires the lease gets a higher one, and from then on nothing of the
//! former holder is stored any more, however long it slept (law 5). The time is the caller's: holders on several hosts
//! need clocks that agree to well within the time to live.

use crate::{
    Store,
    db::{Row, Tx, args},
    error::{Result, StoreError},
};
use facilitator_eth::Address;

/// A lease as acquired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The chain.
    pub chain_id: u64,
    /// The account.
    pub account: Address,
    /// The holder. The same name takes its own lease again at once (a restarted child of one instance); different
    /// processes that must exclude each other have different names.
    pub owner: String,
    /// Higher than that of every earlier holder.
    pub token: i64,
    /// Unix time in milliseconds; without a renewal others may take it from then on.
    pub expires_at_ms: i64,
}

/// The outcome of [`Store::acquire_lease`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours.
    Held(Lease),
    /// Somebody else holds it.
    Refused {
        /// Its holder.
        owner: String,
        /// Unix time in milliseconds at which it expires if not renewed.
        expires_at_ms: i64,
    },
}

impl Store {
    /// Takes the lease of an account if it is free, expired or `owner`'s own.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn acquire_lease(
        &self,
        chain_id: u64,
        account: Address,
        owner: &str,
        ttl_ms: i64,
        now_ms: i64,
    ) -> Result<Acquired> {
        let expires_at_ms = now_ms.saturating_add(ttl_ms);
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO leases (chain_id, account, owner, token, expires_at_ms) VALUES ($1, $2, $3, 1, $4)
            ON CONFLICT (chain_id, account) DO UPDATE
                SET owner = excluded.owner, token = leases.token + 1, expires_at_ms = excluded.expires_at_ms
                WHERE leases.expires_at_ms <= $5 OR leases.owner = excluded.owner
            RETURNING token";
        let args = args![chain_id, account, owner, expires_at_ms, now_ms];
        if let Some(mut row) = tx.fetch_one(sql, args).await? {
            let token = row.take()?;
            tx.commit().await?;
            return Ok(Acquired::Held(Lease { chain_id, account, owner: owner.to_owned(), token, expires_at_ms }));
        }
        let sql = "SELECT owner, expires_at_ms FROM leases WHERE chain_id = $1 AND account = $2";
        match tx.fetch_one(sql, args![chain_id, account]).await? {
            Some(mut row) => Ok(Acquired::Refused { owner: row.take()?, expires_at_ms: row.take()? }),
            None => Ok(Acquired::Refused { owner: "nobody".to_owned(), expires_at_ms: now_ms }),
        }
    }

    /// Prolongs a lease; also one that has expired, as long as nobody else took it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else took over: stop signing for the account.
    pub async fn renew_lease(&self, lease: &Lease, ttl_ms: i64, now_ms: i64) -> Result<Lease> {
        let expires_at_ms = now_ms.saturating_add(ttl_ms);
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE leases SET expires_at_ms = $5
            WHERE chain_id = $1 AND account = $2 AND owner = $3 AND token = $4";
        let args = args![lease.chain_id, lease.account, lease.owner, lease.token, expires_at_ms];
        if tx.execute(sql, args).await? == 0 {
            return Err(lease.lost());
        }
        tx.commit().await?;
        Ok(Lease { expires_at_ms, ..lease.clone() })
    }

    /// Fails unless the lease is still the present one and has not expired.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn check_lease(&self, lease: &Lease, now_ms: i64) -> Result<()> {
        let found = self.db.fetch(CHECK, args![lease.chain_id, lease.account]).await?;
        lease.compare(found.into_iter().next(), now_ms)
    }

    /// Gives a lease back, so that others need not wait for its end. Its token stays used.
    ///
    /// # Errors
    /// [`StoreError`] of the database; not if it was lost already.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let sql = "UPDATE leases SET expires_at_ms = 0
            WHERE chain_id = $1 AND account = $2 AND owner = $3 AND token = $4";
        tx.execute(sql, args![lease.chain_id, lease.account, lease.owner, lease.token]).await?;
        tx.commit().await
    }
}

const CHECK: &str = "SELECT owner, token, expires_at_ms FROM leases WHERE chain_id = $1 AND account = $2";

/// Reads a lease and keeps it as it is until the transaction ends: whoever takes it over waits for what is written under
/// it, and what is written later sees the higher token.
fn guard(tx: &Tx) -> String {
    format!("{CHECK}{}", tx.dialect().for_share())
}

impl Lease {
    /// The same check within the transaction that the lease guards.
    pub(crate) async fn check(&self, tx: &mut Tx, now_ms: i64) -> Result<()> {
        let found = tx.fetch_one(guard(tx), args![self.chain_id, self.account]).await?;
        self.compare(found, now_ms)
    }

    /// Fails, within the transaction that the lease guards, if somebody took over. One that has run out and that nobody
    /// took is still ours: whoever takes it gets a higher token.
    pub(crate) async fn fence(&self, tx: &mut Tx) -> Result<()> {
        let found = tx.fetch_one(guard(tx), args![self.chain_id, self.account]).await?;
        self.compare(found, i64::MIN)
    }

    fn compare(&self, found: Option<Row>, now_ms: i64) -> Result<()> {
        let Some(mut row) = found else { return Err(self.lost()) };
        let (owner, token, expires_at_ms): (String, i64, i64) = (row.take()?, row.take()?, row.take()?);
        if owner == self.owner && token == self.token && expires_at_ms > now_ms {
            return Ok(());
        }
        Err(self.lost())
    }

    fn lost(&self) -> StoreError {
        let Self { chain_id, account, owner, token, .. } = self.clone();
        StoreError::LeaseLost { account, chain_id, owner, token }
    }
}
