//! Transactions that a node signs for itself, sent until they are mined.

use crate::node::{Node, Pace, RECEIPT_LIMIT, Receipt, priced};
use anyhow::{Result, ensure};
use facilitator_eth::B256;
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// How long a transaction is waited for until it counts as lost by the node.
const LOST_AFTER: Duration = Duration::from_secs(10);

impl Node {
    /// Sends transactions of accounts that the node itself signs for, each with its nonce, and waits until all are mined. What
    /// the node has lost is sent again: it is the same transaction, and those that are mined it refuses.
    ///
    /// # Errors
    /// When one is refused, reverts, or isn't mined after two minutes.
    pub async fn settle(&self, transactions: Vec<Json>) -> Result<Vec<Receipt>> {
        ensure!(transactions.iter().all(|one| one["nonce"].is_string()), "without a nonce it would be another one");
        let hashes = self.send_unlocked(transactions.clone()).await?;
        self.settle_sent(&hashes, &transactions).await
    }

    /// As [`Node::settle`], of what has been sent already.
    ///
    /// # Errors
    /// When one reverts, or isn't mined after two minutes.
    pub async fn settle_sent(&self, hashes: &[B256], transactions: &[Json]) -> Result<Vec<Receipt>> {
        let start = Instant::now();
        loop {
            match tokio::time::timeout(LOST_AFTER, self.mined(hashes, Pace::Hurried)).await {
                Ok(receipts) => return receipts,
                Err(_) if start.elapsed() < RECEIPT_LIMIT => self.send_again(transactions).await?,
                Err(_) => return self.mined(hashes, Pace::Hurried).await,
            }
        }
    }

    /// A transaction that reaches anvil while the one before it is being mined may wait for that one forever; sent again it is
    /// refused as known. So the node first has to forget what it has of these accounts.
    async fn send_again(&self, transactions: &[Json]) -> Result<()> {
        let senders: BTreeSet<&str> = transactions.iter().filter_map(|one| one["from"].as_str()).collect();
        self.all("anvil_removePoolTransactions", senders.iter().map(|sender| json!([sender])).collect()).await?;
        let again = transactions.iter().map(|one| json!([priced(one.clone())])).collect();
        self.each("eth_sendTransaction", again).await.map(drop)
    }
}
