//! What may befall a sender, done to real nodes: blocks by hand, forks, pools that forget, prices that jump, and a
//! worker's key that somebody else uses too. And what must hold after all of it.

use crate::{
    devnet::Side,
    node::quantity,
    operator::{Operator, RequestRow},
    world::World,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{
    Address, B256, Bytes, U256, keystore,
    tx::{self, Fee, SecretKey, Signed, Transaction},
};
use serde_json::{Value as Json, json};
use sqlx::{
    Connection as _, Row as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow},
};
use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

/// Calls that the facilitator makes because of something, not merely to look whether there is something.
const DEEDS: [&str; 6] =
    ["eth_sendRawTransaction", "eth_estimateGas", "eth_simulateV1", "eth_call", "eth_getLogs", "eth_getProof"];
/// Without a deed for so long the facilitator has done what the last block called for.
const QUIET: Duration = Duration::from_millis(500);
/// Longest wait for that: some looks are repeated for ever.
const RESTLESS: Duration = Duration::from_secs(3);
/// Gas of a plain transfer.
const TRANSFER_GAS: u64 = 21_000;

/// Both sides.
pub const SIDES: [Side; 2] = [Side::Origin, Side::Auxiliary];

/// An entry of the facilitator's journal.
struct Journalled {
    intent: String,
    state: String,
    nonce: Option<i64>,
    block: Option<i64>,
}

/// A transaction in a node's pool.
#[derive(Debug, Clone)]
pub struct Pooled {
    /// Its nonce.
    pub nonce: u64,
    /// Its hash.
    pub hash: B256,
    /// The first four bytes of its call data.
    pub selector: String,
    /// The most it pays for a unit of gas, wei.
    pub price: U256,
}

impl World {
    /// No block any more but those made by hand.
    ///
    /// # Errors
    /// The node's.
    pub async fn hold_blocks(&self) -> Result<()> {
        for side in SIDES {
            let node = self.devnet.node(side);
            node.call("evm_setAutomine", json!([false])).await?;
            node.call("evm_setIntervalMining", json!([0])).await?;
        }
        Ok(())
    }

    /// Waits until the facilitator has done what it had to do.
    pub async fn settle(&self) {
        let deeds = || -> u64 {
            let counts = self.counts();
            let of = |method| counts.iter().map(|counts| counts.calls.get(method).copied().unwrap_or(0)).sum::<u64>();
            DEEDS.into_iter().map(of).sum()
        };
        let start = Instant::now();
        let (mut last, mut since) = (deeds(), Instant::now());
        while since.elapsed() < QUIET && start.elapsed() < RESTLESS {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = deeds();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }

    /// One block on each chain, once the facilitator is ready for it.
    ///
    /// # Errors
    /// The node's.
    pub async fn step(&self) -> Result<()> {
        self.settle().await;
        self.mine_both().await
    }

    /// One block on each chain.
    ///
    /// # Errors
    /// The node's.
    pub async fn mine_both(&self) -> Result<()> {
        for side in SIDES {
            self.devnet.node(side).mine(1).await?;
        }
        Ok(())
    }

    /// The worker of a side; the first where there are several.
    ///
    /// # Errors
    /// When there is none.
    pub fn worker(&self, side: Side) -> Result<Address> {
        let workers = match side {
            Side::Origin => &self.operator.origin_workers,
            Side::Auxiliary => &self.operator.auxiliary_workers,
        };
        workers.first().copied().context("no worker")
    }

    /// The worker's transactions that wait in the node's pool, those that wait for a lower nonce included.
    ///
    /// # Errors
    /// The node's.
    pub async fn pool(&self, side: Side) -> Result<Vec<Pooled>> {
        let worker = self.worker(side)?;
        let content = self.devnet.node(side).call("txpool_content", json!([])).await?;
        let mut found = Vec::new();
        for part in ["pending", "queued"] {
            let accounts = content[part].as_object().into_iter().flatten();
            let own = accounts.filter(|(account, _)| account.parse() == Ok(worker));
            for (_, transactions) in own {
                for transaction in transactions.as_object().into_iter().flatten().map(|(_, json)| json) {
                    found.push(pooled(transaction)?);
                }
            }
        }
        found.sort_by_key(|transaction| transaction.nonce);
        Ok(found)
    }

    /// The worker's transaction count at `latest` or `pending`.
    ///
    /// # Errors
    /// The node's.
    pub async fn count(&self, side: Side, at: &str) -> Result<u64> {
        let worker = self.worker(side)?;
        quantity(&self.devnet.node(side).call("eth_getTransactionCount", json!([worker, at])).await?)
    }

    /// Somebody else who has the worker's key sends a transfer with it, for a price far above any other.
    ///
    /// # Errors
    /// When the node refuses it.
    pub async fn foreign(&self, side: Side, nonce: u64) -> Result<B256> {
        let signed = self.sign_foreign(side, nonce)?;
        self.devnet.node(side).send_signed(&[signed]).await?.pop().context("no hash")
    }

    /// The transaction of [`World::foreign`], not sent.
    ///
    /// # Errors
    /// When the key is not to be had.
    pub fn sign_foreign(&self, side: Side, nonce: u64) -> Result<Signed> {
        let price = U256::exp10(11).saturating_mul(U256::from(4u64));
        let transaction = Transaction {
            chain_id: self.devnet.node(side).chain_id,
            nonce,
            to: self.devnet.parties.burner,
            value: U256::ONE,
            data: Bytes::default(),
            gas_limit: TRANSFER_GAS,
            fee: Fee::Dynamic { max_fee: price, max_priority: price },
        };
        Ok(tx::sign(&transaction, &worker_key(&self.operator, self.worker(side)?)?)?)
    }

    /// Replaces the newest `depth` blocks of a chain by as many empty ones; what was in them is gone.
    ///
    /// # Errors
    /// The node's.
    pub async fn fork(&self, side: Side, depth: u64) -> Result<()> {
        self.devnet.node(side).call("anvil_reorg", json!([depth, []])).await.map(drop)
    }

    /// The node forgets every transaction that waits.
    ///
    /// # Errors
    /// The node's.
    pub async fn forget_pool(&self, side: Side) -> Result<()> {
        self.devnet.node(side).call("anvil_dropAllTransactions", json!([])).await.map(drop)
    }

    /// The base fee of the next block, in gwei.
    ///
    /// # Errors
    /// The node's.
    pub async fn set_base_fee(&self, side: Side, gwei: u64) -> Result<()> {
        let fee = U256::exp10(9).saturating_mul(U256::from(gwei));
        self.devnet.node(side).call("anvil_setNextBlockBaseFeePerGas", json!([fee.to_quantity()])).await.map(drop)
    }

    /// Whether all requests, `count` of them, are complete.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn all_complete(&self, count: usize) -> Result<bool> {
        let rows = self.operator.requests().await?;
        Ok(rows.len() == count && rows.iter().all(|row: &RequestRow| row.state == "COMPLETE"))
    }

    /// Checks that no account is jammed: nothing waits in a pool, and every journalled transaction has ended.
    ///
    /// # Errors
    /// What is not so.
    pub async fn nothing_pending(&self) -> Result<()> {
        for side in SIDES {
            let (latest, pending) = (self.count(side, "latest").await?, self.count(side, "pending").await?);
            ensure!(latest == pending, "{side:?}: {pending} transactions counting those that wait, {latest} mined");
            let pool = self.pool(side).await?;
            ensure!(pool.is_empty(), "{side:?}: in the pool: {pool:?}");
            for Journalled { intent, state, .. } in self.journalled(side).await? {
                ensure!(state == "final" || state == "failed", "{side:?}: {intent} is {state} in the journal");
            }
        }
        Ok(())
    }

    /// Checks that the nonces used on the chains are exactly those of the journal's mined entries and the `foreign`
    /// ones.
    ///
    /// # Errors
    /// What is not so.
    pub async fn nonces_accounted_for(&self, foreign: &[(Side, u64)]) -> Result<()> {
        for side in SIDES {
            let others = foreign.iter().filter(|(of, _)| *of == side).map(|(_, nonce)| *nonce);
            let mut used: BTreeSet<u64> = others.collect();
            for Journalled { intent, nonce, block, .. } in self.journalled(side).await? {
                if let (Some(nonce), Some(_)) = (nonce, block) {
                    ensure!(used.insert(u64::try_from(nonce)?), "{side:?}: nonce {nonce} of {intent} is used twice");
                }
            }
            let count = self.count(side, "latest").await?;
            ensure!(used == (0..count).collect(), "{side:?}: the journal and others used {used:?}, the chain {count}");
        }
        Ok(())
    }

    /// The blocks of a chain that the facilitator remembers, ascending: height, hash, hash of the parent.
    ///
    /// # Errors
    /// The database's.
    pub async fn remembered(&self, side: Side) -> Result<Vec<(u64, String, String)>> {
        let chain = i64::try_from(self.devnet.node(side).chain_id)?;
        let sql = "SELECT number, hash, parent_hash FROM blocks WHERE chain_id = ? ORDER BY number";
        let rows = sqlx::query(sql).bind(chain).fetch_all(&mut self.journal().await?).await?;
        let read = |row: &SqliteRow| {
            let number: i64 = row.try_get(0)?;
            Ok((u64::try_from(number)?, row.try_get(1)?, row.try_get(2)?))
        };
        rows.iter().map(read).collect()
    }

    /// The newest block of a chain whose events the facilitator has stored.
    ///
    /// # Errors
    /// The database's, also while there is none.
    pub async fn checkpoint(&self, side: Side) -> Result<Option<u64>> {
        let chain = i64::try_from(self.devnet.node(side).chain_id)?;
        let sql = "SELECT block_number FROM checkpoints WHERE chain_id = ?";
        let found: Option<i64> = sqlx::query_scalar(sql).bind(chain).fetch_optional(&mut self.journal().await?).await?;
        Ok(found.map(u64::try_from).transpose()?)
    }

    async fn journalled(&self, side: Side) -> Result<Vec<Journalled>> {
        let (chain, worker) = (i64::try_from(self.devnet.node(side).chain_id)?, self.worker(side)?.to_lower_hex());
        let sql = "SELECT intent, state, nonce, block_number FROM transactions WHERE chain_id = ? AND account = ?";
        let rows = sqlx::query(sql).bind(chain).bind(worker).fetch_all(&mut self.journal().await?).await?;
        let read = |row: &SqliteRow| {
            let (intent, state) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Journalled { intent, state, nonce: row.try_get(2)?, block: row.try_get(3)? })
        };
        rows.iter().map(read).collect()
    }

    /// The facilitator's database, to be read.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn journal(&self) -> Result<SqliteConnection> {
        let path = self.operator.config.with_file_name("facilitator.db");
        Ok(SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path).read_only(true)).await?)
    }
}

fn pooled(json: &Json) -> Result<Pooled> {
    let text = |name: &str| json[name].as_str();
    let price = text("maxFeePerGas").or_else(|| text("gasPrice")).context("no price")?;
    Ok(Pooled {
        nonce: quantity(&json["nonce"])?,
        hash: text("hash").context("no hash")?.parse()?,
        selector: text("input").unwrap_or_default().chars().take(10).collect(),
        price: price.parse().ok().context("no price")?,
    })
}

/// A worker's private key, taken out of the operator's config with its password.
fn worker_key(operator: &Operator, worker: Address) -> Result<SecretKey> {
    let config: Json = serde_json::from_slice(&fs::read(&operator.config)?)?;
    let accounts = ["encrypted_accounts", "encryptedAccounts"].iter().find_map(|name| config[name].as_object());
    let accounts = accounts.context("no accounts in the config")?;
    let store = accounts.iter().find(|(address, _)| address.parse() == Ok(worker)).context("no such account")?.1;
    let variable = format!("MOSAIC_ADDRESS_PASSW_{worker}");
    let password = operator.environment().iter().find(|(name, _)| *name == variable).context("no password")?;
    Ok(SecretKey::from_bytes(&*keystore::decrypt(store, &password.1)?)?)
}
