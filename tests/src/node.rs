//! One node as the tests speak to it: batches of calls, views, transactions and their receipts.
//!
//! Everything goes to the node directly, never through the proxy whose counters belong to the product.

use crate::account::GAS_PRICE;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use facilitator_chain::rpc::{Call, Rpc, RpcError, RpcOptions};
use facilitator_eth::{Address, B256, Bytes, U256, tx::Signed};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

/// Longest wait for a transaction to be mined.
pub(crate) const RECEIPT_LIMIT: Duration = Duration::from_secs(120);
/// Without news for so long a block is made whatever the node says of its pool.
const STALL: Duration = Duration::from_secs(5);

/// A mined transaction.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Its hash.
    pub hash: B256,
    /// Number of its block.
    pub block: u64,
    /// Whether it did not revert.
    pub success: bool,
    /// Gas it used.
    pub gas_used: u64,
    /// What the gas cost, in wei.
    pub fee: U256,
    /// Its sender.
    pub from: Address,
    /// The contract it created.
    pub created: Option<Address>,
    /// Its logs.
    pub logs: Vec<Log>,
}

/// An event as the node tells it.
#[derive(Debug, Clone)]
pub struct Log {
    /// The contract.
    pub address: Address,
    /// Signature hash, then the indexed fields.
    pub topics: Vec<B256>,
    /// The other fields.
    pub data: Bytes,
    /// Number of its block.
    pub block: u64,
    /// Its transaction.
    pub transaction: B256,
}

/// Part of a block's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Number.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Root of the state behind the block.
    pub state_root: B256,
    /// Seconds since 1970.
    pub timestamp: u64,
}

/// A node.
#[derive(Debug, Clone)]
pub struct Node {
    rpc: Rpc,
    /// Its JSON-RPC address.
    pub url: String,
    /// Its chain id, as it was told to have.
    pub chain_id: u64,
}

/// Reads a field of an answer.
fn field<T: std::str::FromStr>(json: &Json, name: &str) -> Result<T> {
    let text = json[name].as_str().with_context(|| format!("no {name} in {json}"))?;
    text.parse().map_err(|_| anyhow!("{name} is {text}"))
}

/// Tries of a transaction whose nonce was taken meanwhile, and the pause before each.
const RACES: u32 = 20;
const AFTER_RACE: Duration = Duration::from_millis(20);

fn is_nonce_race(error: &RpcError) -> bool {
    let text = error.to_string();
    ["nonce too low", "replacement transaction underpriced"].iter().any(|race| text.contains(race))
}

/// Reads a quantity.
pub(crate) fn quantity(json: &Json) -> Result<u64> {
    let text = json.as_str().with_context(|| format!("{json} is no quantity"))?;
    Ok(u64::from_str_radix(text.trim_start_matches("0x"), 16)?)
}

impl Node {
    /// A node that answers at `url`.
    ///
    /// # Errors
    /// When the URL can't be used.
    pub fn new(url: &str, chain_id: u64) -> Result<Self> {
        let options = RpcOptions { timeout: Duration::from_secs(60), max_batch: 1000, ..RpcOptions::default() };
        Ok(Self { rpc: Rpc::new(url, options)?, url: url.to_owned(), chain_id })
    }

    /// One call.
    ///
    /// # Errors
    /// The node's or the transport's.
    pub async fn call(&self, method: &'static str, params: Json) -> Result<Json> {
        self.rpc.call(method, params).await.with_context(|| format!("{method} on chain {}", self.chain_id))
    }

    /// The same method with each of `params`; an outcome for each.
    ///
    /// # Errors
    /// When the node can't be reached.
    pub async fn each(&self, method: &'static str, params: Vec<Json>) -> Result<Vec<Result<Json, RpcError>>> {
        let calls: Vec<Call> = params.into_iter().map(|params| Call::new(method, params)).collect();
        Ok(self.rpc.batch(&calls).await?)
    }

    /// Calls of several methods in one request, all of which must succeed.
    ///
    /// # Errors
    /// The first call's that failed.
    pub async fn mixed(&self, calls: Vec<(&'static str, Json)>) -> Result<Vec<Json>> {
        let calls: Vec<Call> = calls.into_iter().map(|(method, params)| Call::new(method, params)).collect();
        Ok(self.rpc.batch(&calls).await?.into_iter().collect::<Result<Vec<Json>, RpcError>>()?)
    }

    /// As [`Node::each`], and all of them must succeed.
    ///
    /// # Errors
    /// The first call's that failed.
    pub async fn all(&self, method: &'static str, params: Vec<Json>) -> Result<Vec<Json>> {
        let outcomes = self.each(method, params).await?;
        let strict = outcomes.into_iter().collect::<Result<Vec<Json>, RpcError>>();
        strict.with_context(|| format!("{method} on chain {}", self.chain_id))
    }

    /// What view functions return at the newest block.
    ///
    /// # Errors
    /// When one of them reverts.
    pub async fn views(&self, calls: &[(Address, Bytes)]) -> Result<Vec<Bytes>> {
        let params = calls.iter().map(|(to, data)| json!([{ "to": to, "data": data }, "latest"])).collect();
        let answers = self.all("eth_call", params).await?;
        answers.iter().map(|answer| Ok(answer.as_str().context("no data")?.parse()?)).collect()
    }

    /// What one view function returns at the newest block.
    ///
    /// # Errors
    /// When it reverts.
    pub async fn view(&self, to: Address, data: Bytes) -> Result<Bytes> {
        self.views(&[(to, data)]).await?.pop().context("no answer")
    }

    /// Balances in base coin, in wei.
    ///
    /// # Errors
    /// The node's.
    pub async fn balances(&self, accounts: &[Address]) -> Result<Vec<U256>> {
        let params = accounts.iter().map(|account| json!([account, "latest"])).collect();
        let answers = self.all("eth_getBalance", params).await?;
        answers.iter().map(|answer| Ok(answer.as_str().context("no balance")?.parse()?)).collect()
    }

    /// The header of `block`: `latest`, or a quantity.
    ///
    /// # Errors
    /// When there is no such block.
    pub async fn header(&self, block: &str) -> Result<Header> {
        let json = self.call("eth_getBlockByNumber", json!([block, false])).await?;
        Ok(Header {
            number: quantity(&json["number"])?,
            hash: field(&json, "hash")?,
            state_root: field(&json, "stateRoot")?,
            timestamp: quantity(&json["timestamp"])?,
        })
    }

    /// The number of the newest block.
    ///
    /// # Errors
    /// The node's.
    pub async fn head(&self) -> Result<u64> {
        quantity(&self.call("eth_blockNumber", json!([])).await?)
    }

    /// Gas that the newest block had room for.
    ///
    /// # Errors
    /// The node's.
    pub async fn gas_limit(&self) -> Result<u64> {
        quantity(&self.call("eth_getBlockByNumber", json!(["latest", false])).await?["gasLimit"])
    }

    /// Gives the next blocks room for so much gas.
    ///
    /// # Errors
    /// The node's.
    pub async fn limit_gas(&self, gas: u64) -> Result<()> {
        self.call("evm_setBlockGasLimit", json!([format!("{gas:#x}")])).await.map(|_| ())
    }

    /// Makes `count` blocks.
    ///
    /// # Errors
    /// The node's.
    pub async fn mine(&self, count: u64) -> Result<()> {
        self.call("anvil_mine", json!([format!("{count:#x}")])).await.map(|_| ())
    }

    /// Makes a block right away when a transaction waits for one, whatever the node's rhythm is.
    ///
    /// # Errors
    /// The node's.
    pub async fn mine_waiting(&self) -> Result<()> {
        let status = self.call("txpool_status", json!([])).await?;
        if quantity(&status["pending"])? > 0 {
            self.mine(1).await?;
        }
        Ok(())
    }

    /// Sends transactions of accounts that the node itself signs for, in their order.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn send_unlocked(&self, transactions: Vec<Json>) -> Result<Vec<B256>> {
        let params: Vec<Json> = transactions.into_iter().map(|one| json!([priced(one)])).collect();
        let mut hashes = Vec::with_capacity(params.len());
        for (answer, params) in self.each("eth_sendTransaction", params.clone()).await?.into_iter().zip(params) {
            let answer = match answer {
                Err(error) if is_nonce_race(&error) => self.send_after_race(params).await?,
                answer => answer?,
            };
            hashes.push(answer.as_str().context("no hash")?.parse()?);
        }
        Ok(hashes)
    }

    /// The node chooses the nonce, and a block that it makes meanwhile may take it.
    async fn send_after_race(&self, params: Json) -> Result<Json> {
        for _ in 0..RACES {
            tokio::time::sleep(AFTER_RACE).await;
            match self.call("eth_sendTransaction", params.clone()).await {
                Err(error) if error.downcast_ref().is_some_and(is_nonce_race) => {}
                answer => return answer,
            }
        }
        anyhow::bail!("{RACES} times somebody else took the nonce")
    }

    /// Sends signed transactions in their order.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn send_signed(&self, transactions: &[Signed]) -> Result<Vec<B256>> {
        let params = transactions.iter().map(|signed| json!([signed.raw])).collect();
        self.all("eth_sendRawTransaction", params).await?;
        Ok(transactions.iter().map(|signed| signed.hash).collect())
    }

    /// The receipts of those transactions that are mined.
    ///
    /// # Errors
    /// The node's.
    pub async fn receipts(&self, hashes: &[B256]) -> Result<Vec<Option<Receipt>>> {
        let params = hashes.iter().map(|hash| json!([hash])).collect();
        let answers = self.all("eth_getTransactionReceipt", params).await?;
        answers.iter().map(|json| if json.is_null() { Ok(None) } else { receipt(json).map(Some) }).collect()
    }

    /// Waits until all are mined; none may have reverted.
    ///
    /// # Errors
    /// When one reverted or isn't mined after two minutes.
    pub async fn mined(&self, hashes: &[B256], pace: Pace) -> Result<Vec<Receipt>> {
        let (start, mut stalled) = (Instant::now(), STALL);
        loop {
            if pace == Pace::Hurried {
                self.mine_waiting().await?;
                // A node under load may say that nothing waits although something does.
                if start.elapsed() > stalled {
                    stalled = start.elapsed() + STALL;
                    self.mine(1).await?;
                }
            }
            let receipts: Vec<Receipt> = self.receipts(hashes).await?.into_iter().flatten().collect();
            if let Some(failed) = receipts.iter().find(|receipt| !receipt.success) {
                bail!(
                    "transaction {} on chain {} reverted: {}",
                    failed.hash,
                    self.chain_id,
                    self.reason(failed.hash).await
                );
            }
            if receipts.len() == hashes.len() {
                return Ok(receipts);
            }
            ensure!(start.elapsed() < RECEIPT_LIMIT, "only {} of {} mined", receipts.len(), hashes.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Why a transaction reverted, found by calling it again on the block before.
    pub async fn reason(&self, hash: B256) -> String {
        let again = async {
            let json = self.call("eth_getTransactionByHash", json!([hash])).await?;
            let block = quantity(&json["blockNumber"])?.saturating_sub(1);
            let call = json!({ "from": json["from"], "to": json["to"], "value": json["value"], "data": json["input"] });
            self.call("eth_call", json!([call, format!("{block:#x}")])).await
        };
        match again.await {
            Ok(_) => "only in that block".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    /// The logs of these contracts from a block on.
    ///
    /// # Errors
    /// The node's.
    pub async fn logs(&self, contracts: &[Address], from: u64) -> Result<Vec<Log>> {
        let filter = json!([{ "address": contracts, "fromBlock": format!("{from:#x}"), "toBlock": "latest" }]);
        let json = self.call("eth_getLogs", filter).await?;
        json.as_array().context("no list of logs")?.iter().map(log).collect()
    }
}

/// Whether to wait for the node's own rhythm of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as blocks come by themselves.
    Natural,
    /// A block at once: for what must stand before the time counts.
    Hurried,
}

/// The same price for all that the node signs for.
pub(crate) fn priced(mut transaction: Json) -> Json {
    transaction["gasPrice"] = json!(U256::from(GAS_PRICE).to_quantity());
    transaction
}

fn log(json: &Json) -> Result<Log> {
    let topics = json["topics"].as_array().context("no topics")?;
    Ok(Log {
        address: field(json, "address")?,
        topics: topics.iter().map(|topic| Ok(topic.as_str().context("no topic")?.parse()?)).collect::<Result<_>>()?,
        data: field(json, "data")?,
        block: quantity(&json["blockNumber"])?,
        transaction: field(json, "transactionHash")?,
    })
}

fn receipt(json: &Json) -> Result<Receipt> {
    let gas_used = quantity(&json["gasUsed"])?;
    let price: U256 = field(json, "effectiveGasPrice")?;
    Ok(Receipt {
        hash: field(json, "transactionHash")?,
        block: quantity(&json["blockNumber"])?,
        success: json["status"] == "0x1",
        gas_used,
        fee: price.saturating_mul(U256::from(gas_used)),
        from: field(json, "from")?,
        created: field(json, "contractAddress").ok(),
        logs: json["logs"].as_array().context("no logs")?.iter().map(log).collect::<Result<_>>()?,
    })
}
