//! Each fault of the proxy does what it says, before a real node.

use anyhow::{Context as _, Result, ensure};
use facilitator_chain::{
    heads::{FeedOptions, HeadFeed},
    rpc::{Endpoint, RpcError},
    types::{Seal, parse_block_receipts, parse_sealed_header, receipts_root},
};
use facilitator_eth::{Address, B256, Bytes};
use facilitator_tests::{
    anvil::{Anvil, AnvilOptions, Mining},
    node::Node,
    rpc_proxy::{Length, RpcProxy},
};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const CHAIN: u64 = 3;
/// Longer than any answer takes.
const LONG: Duration = Duration::from_secs(20);
/// Emits a log with the first word of its call data as topic and data.
const LOGS: &str = "6000358060005260206000a100";

/// A node with a few blocks, the proxy before it, and both as a client sees them.
struct Scene {
    _anvil: Anvil,
    proxy: RpcProxy,
    truth: Node,
    told: Node,
}

impl Scene {
    async fn start() -> Result<Self> {
        let options = AnvilOptions {
            chain_id: CHAIN,
            mining: Mining::Auto,
            hardfork: None,
            gas_limit: None,
            slots_in_an_epoch: None,
            port: None,
        };
        let anvil = Anvil::start(&options).await?;
        let proxy = RpcProxy::start(&anvil.url).await?;
        let truth = Node::new(&anvil.url, CHAIN)?;
        truth.mine(8).await?;
        let told = Node::new(&proxy.url, CHAIN)?;
        Ok(Self { _anvil: anvil, proxy, truth, told })
    }

    /// A client without memory of earlier errors.
    fn fresh(&self) -> Result<Node> {
        Node::new(&self.proxy.url, CHAIN)
    }

    async fn error(&self, method: &'static str, params: Json) -> Result<RpcError> {
        let error = self.fresh()?.call(method, params).await.err().context("the call succeeded")?;
        error.downcast::<RpcError>()
    }

    /// What comes back over a connection of its own until that is closed or nothing more comes.
    async fn raw(&self) -> Result<String> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": [] }).to_string();
        let address = self.proxy.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await?;
        let head = format!("POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
        let length = body.len();
        stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes()).await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        timeout(LONG, stream.read_to_string(&mut answer)).await??;
        Ok(answer)
    }

    async fn block(&self, node: &Node, number: u64) -> Result<Json> {
        node.call("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await
    }

    /// A contract that logs, and so many logs of it, each in a block of its own; gives it and the blocks.
    async fn logging(&self, count: u64) -> Result<(Address, Vec<u64>)> {
        let accounts = self.truth.call("eth_accounts", json!([])).await?;
        let send = async |mut transaction: Json| {
            transaction["from"] = accounts[0].clone();
            let hash = self.truth.send_unlocked(vec![transaction]).await?;
            let receipts = self.truth.mined(&hash, facilitator_tests::node::Pace::Natural).await?;
            receipts.into_iter().next().context("no receipt")
        };
        let init = format!("0x60{:02x}80600b6000396000f3{LOGS}", LOGS.len() / 2);
        let contract = send(json!({ "data": init })).await?.created.context("no contract")?;
        let mut blocks = Vec::new();
        for _ in 0..count {
            blocks.push(send(json!({ "to": contract, "data": B256([7; 32]) })).await?.block);
        }
        Ok((contract, blocks))
    }
}

fn logs_of(contract: Address, from: u64, to: u64) -> Json {
    json!([{ "address": contract, "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}") }])
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[tokio::test]
async fn answers_come_late_torn_or_not_at_all_and_healing_ends_it() -> Result<()> {
    let scene = Scene::start().await?;
    let proxy = &scene.proxy;
    let latency = Duration::from_millis(300);
    proxy.set_latency(Some(latency));
    let start = Instant::now();
    scene.told.head().await?;
    ensure!(start.elapsed() >= latency);

    proxy.heal();
    let whole = scene.raw().await?;
    ensure!(whole.ends_with("}"), "{whole}");
    proxy.set_truncating(Some(Length::Wrong));
    let torn = scene.raw().await?;
    ensure!(torn.len() < whole.len() && whole.starts_with(&torn), "{torn}");
    ensure!(matches!(scene.error("eth_chainId", json!([])).await?, RpcError::Transport { .. }));
    proxy.set_truncating(Some(Length::Right));
    let torn = scene.raw().await?;
    ensure!(!torn.ends_with("}") && !whole.starts_with(&torn), "{torn}");
    ensure!(matches!(scene.error("eth_chainId", json!([])).await?, RpcError::Malformed { .. }));

    proxy.heal();
    proxy.set_dropping(true);
    ensure!(scene.raw().await?.is_empty());
    ensure!(matches!(scene.error("eth_chainId", json!([])).await?, RpcError::Transport { .. }));

    proxy.heal();
    proxy.set_stalling(true);
    let stalled = timeout(Duration::from_millis(500), scene.told.head()).await;
    ensure!(stalled.is_err(), "{stalled:?}");
    proxy.set_stalling(false);
    ensure!(timeout(LONG, scene.told.head()).await?? == 8);
    Ok(())
}

#[tokio::test]
async fn a_share_of_the_requests_fails_as_the_seed_says() -> Result<()> {
    let scene = Scene::start().await?;
    let outcomes = async |seed: u64| -> Result<Vec<bool>> {
        scene.proxy.set_failing(300, seed);
        let mut outcomes = Vec::new();
        for _ in 0..200 {
            outcomes.push(scene.fresh()?.call("eth_chainId", json!([])).await.is_ok());
        }
        Ok(outcomes)
    };
    let first = outcomes(1).await?;
    let failed = first.iter().filter(|passed| !**passed).count();
    ensure!((40..=80).contains(&failed), "{failed} of 200");
    ensure!(outcomes(1).await? == first && outcomes(2).await? != first);
    scene.proxy.set_failing(0, 0);
    for _ in 0..20 {
        scene.told.head().await?;
    }
    Ok(())
}

#[tokio::test]
async fn limits_are_told_in_the_three_ways_of_providers() -> Result<()> {
    let scene = Scene::start().await?;
    scene.proxy.set_rate_limit(Some(Duration::from_secs(7)));
    let answer = scene.raw().await?.to_lowercase();
    ensure!(answer.starts_with("http/1.1 429") && answer.contains("retry-after: 7\r\n"), "{answer}");
    let error = scene.error("eth_chainId", json!([])).await?;
    ensure!(matches!(error, RpcError::RateLimited { retry_after: Some(pause), .. } if pause.as_secs() == 7), "{error}");

    scene.proxy.heal();
    scene.proxy.set_limit_errors(true);
    ensure!(scene.raw().await?.contains("-32005"));
    let error = scene.error("eth_chainId", json!([])).await?;
    ensure!(matches!(error, RpcError::RateLimited { retry_after: None, .. }), "{error}");

    scene.proxy.heal();
    scene.proxy.set_widest_range(Some(4));
    let asked = |to: Json| json!([{ "fromBlock": "0x1", "toBlock": to }]);
    scene.told.call("eth_getLogs", asked(json!("0x4"))).await?;
    for to in ["0x5", "latest"] {
        let error = scene.error("eth_getLogs", asked(json!(to))).await?;
        ensure!(matches!(&error, RpcError::RangeTooWide { message } if message.contains("4 blocks")), "{error:?}");
    }
    scene.proxy.set_widest_range(None);
    scene.told.call("eth_getLogs", asked(json!("latest"))).await.map(drop)
}

#[tokio::test]
async fn a_frozen_head_hides_all_that_lies_above_it() -> Result<()> {
    let scene = Scene::start().await?;
    let (contract, blocks) = scene.logging(3).await?;
    let (frozen, hidden) = (blocks[1], blocks[2]);
    let hash = scene.block(&scene.truth, hidden).await?["hash"].clone();
    scene.proxy.freeze_head(Some(frozen));
    scene.truth.mine(2).await?;

    ensure!(scene.told.head().await? == frozen);
    for tag in ["latest", "pending"] {
        ensure!(scene.told.header(tag).await?.number == frozen, "{tag}");
    }
    ensure!(scene.block(&scene.told, hidden).await?.is_null());
    ensure!(scene.told.call("eth_getBlockByHash", json!([hash, false])).await?.is_null());
    ensure!(scene.told.call("eth_getBlockReceipts", json!([format!("{hidden:#x}")])).await?.is_null());
    let logs = scene.told.call("eth_getLogs", logs_of(contract, 0, hidden)).await?;
    ensure!(list(&logs).len() == 2, "{logs}");
    ensure!(list(&scene.told.call("eth_getLogs", logs_of(contract, hidden, hidden)).await?).is_empty());
    let above = json!([contract, format!("{hidden:#x}")]);
    ensure!(matches!(scene.error("eth_getBalance", above).await?, RpcError::Server { .. }));
    let account = scene.truth.call("eth_accounts", json!([])).await?[0].clone();
    let sent = scene.told.call("eth_getTransactionCount", json!([account, "latest"])).await?;
    ensure!(sent == json!("0x3"), "{sent}");

    scene.proxy.freeze_head(None);
    ensure!(scene.told.head().await? == hidden + 2);
    ensure!(!scene.block(&scene.told, hidden).await?.is_null());
    Ok(())
}

#[tokio::test]
async fn another_branch_links_and_another_chain_has_another_id() -> Result<()> {
    let scene = Scene::start().await?;
    let (contract, blocks) = scene.logging(2).await?;
    let (from, head) = (blocks[0] - 1, blocks[1]);
    for sealed in [true, false] {
        scene.proxy.pretend_branch(from, 1, sealed);
        let mut parent = scene.block(&scene.truth, from - 1).await?["hash"].clone();
        ensure!(scene.block(&scene.told, from - 1).await?["hash"] == parent, "below it nothing is changed");
        // From the newest down, so that nothing hangs on the order of the questions.
        let mut told = Vec::new();
        for number in (from..=head).rev() {
            told.insert(0, scene.block(&scene.told, number).await?);
        }
        for (number, block) in (from..).zip(&told) {
            ensure!(block["parentHash"] == parent, "block {number}");
            ensure!(block["hash"] != scene.block(&scene.truth, number).await?["hash"], "block {number}");
            let by_hash = scene.told.call("eth_getBlockByHash", json!([block["hash"], false])).await?;
            ensure!(by_hash == *block, "block {number}: {by_hash}");
            let seal = parse_sealed_header(block)?.context("no block")?.seal;
            ensure!((seal == Seal::Bound) == sealed, "block {number}: {seal:?}");
            parent = block["hash"].clone();
        }
        let logs = scene.told.call("eth_getLogs", logs_of(contract, from, head)).await?;
        ensure!(list(&logs).len() == 2 && logs[1]["blockHash"] == parent, "{logs}");
        let at_head = scene.told.call("eth_getLogs", json!([{ "address": contract, "blockHash": parent }])).await?;
        ensure!(list(&at_head) == [logs[1].clone()], "{at_head}");
        let receipts = scene.told.call("eth_getBlockReceipts", json!([parent])).await?;
        ensure!(receipts[0]["blockHash"] == parent && receipts[0]["logs"][0]["blockHash"] == parent, "{receipts}");
    }
    let accomplice = RpcProxy::start(&scene.truth.url).await?;
    let third = Node::new(&accomplice.url, CHAIN)?;
    scene.proxy.pretend_branch(from, 2, true);
    for (salt, same) in [(2, true), (3, false)] {
        accomplice.pretend_branch(from, salt, true);
        let one = scene.told.header("latest").await?.hash == third.header("latest").await?.hash;
        ensure!(one == same, "salt {salt}");
    }
    scene.proxy.end_branch();
    ensure!(scene.told.header("latest").await? == scene.truth.header("latest").await?);

    scene.proxy.pretend_chain(Some(77));
    ensure!(scene.told.call("eth_chainId", json!([])).await? == "0x4d");
    ensure!(scene.told.call("net_version", json!([])).await? == "77");
    scene.proxy.pretend_chain(None);
    ensure!(scene.told.call("eth_chainId", json!([])).await? == json!(format!("{CHAIN:#x}")));
    Ok(())
}

#[tokio::test]
async fn logs_are_left_out_and_invented_everywhere_alike() -> Result<()> {
    let scene = Scene::start().await?;
    let (contract, blocks) = scene.logging(40).await?;
    let asked = logs_of(contract, 0, *blocks.last().context("no block")?);
    let truth = scene.truth.call("eth_getLogs", asked.clone()).await?;
    for (permille, least, most) in [(1000, 0, 0), (500, 8, 32), (0, 40, 40)] {
        scene.proxy.hide_logs(permille);
        let told = scene.told.call("eth_getLogs", asked.clone()).await?;
        ensure!((least..=most).contains(&list(&told).len()), "{permille}: {}", list(&told).len());
        ensure!(told == scene.told.call("eth_getLogs", asked.clone()).await?, "always the same ones");
        for log in list(&truth) {
            let receipts = scene.told.call("eth_getBlockReceipts", json!([log["blockHash"]])).await?;
            let single = scene.told.call("eth_getTransactionReceipt", json!([log["transactionHash"]])).await?;
            let shown = usize::from(list(&told).contains(log));
            ensure!(list(&receipts[0]["logs"]).len() == shown && list(&single["logs"]).len() == shown);
        }
    }

    let (block, topic) = (blocks[0] - 2, B256([9; 32]));
    scene.proxy.invent_log(block, contract, &[topic], &Bytes(vec![1])).await?;
    let header = scene.block(&scene.truth, block).await?;
    let told = scene.told.call("eth_getLogs", asked.clone()).await?;
    let invented = list(&told).iter().find(|log| log["topics"][0] == json!(topic)).context("no invented log")?;
    ensure!(list(&told).len() == 41 && invented["blockHash"] == header["hash"], "{invented}");
    for filter in [
        json!({ "address": contract, "fromBlock": format!("{:#x}", block + 1), "toBlock": "latest" }),
        json!({ "address": Address::ZERO, "fromBlock": "0x0", "toBlock": "latest" }),
        json!({ "address": [contract], "topics": [[B256::ZERO]], "fromBlock": "0x0", "toBlock": "latest" }),
    ] {
        let told = scene.told.call("eth_getLogs", json!([filter])).await?;
        ensure!(!list(&told).contains(invented), "{filter}");
    }
    let by_hash = json!([{ "address": [contract], "topics": [[topic]], "blockHash": header["hash"] }]);
    let told = scene.told.call("eth_getLogs", by_hash).await?;
    ensure!(list(&told).len() == 1 && list(&told).contains(invented));
    let receipts = scene.told.call("eth_getBlockReceipts", json!([header["hash"]])).await?;
    let parsed = parse_block_receipts(&receipts)?.context("no receipts")?;
    ensure!(parsed.iter().map(|receipt| receipt.logs.len()).sum::<usize>() == 1 + list(&receipts).len() - 1);
    let root = parse_sealed_header(&header)?.context("no header")?.receipts_root;
    ensure!(receipts_root(&parsed)? != root);
    scene.proxy.forget_invented_logs();
    ensure!(scene.told.call("eth_getLogs", asked).await? == truth);
    Ok(())
}

#[tokio::test]
async fn heads_are_announced_through_it_until_a_fault_stands_against_them() -> Result<()> {
    let scene = Scene::start().await?;
    let options = FeedOptions { first_pause: Duration::from_millis(50), ..FeedOptions::default() };
    let mut feed = HeadFeed::start(Endpoint::parse(&scene.proxy.url)?, options)?;
    let mut until = async |live: bool, head: Option<u64>| {
        let reached = async {
            loop {
                let now = feed.announced();
                if now.live == live && head.is_none_or(|head| now.head.is_some_and(|now| now.number == head)) {
                    return;
                }
                feed.changed().await;
            }
        };
        timeout(LONG, reached).await
    };
    until(true, None).await?;
    ensure!(scene.proxy.counts().sockets == 1);
    scene.truth.mine(1).await?;
    until(true, Some(9)).await?;
    scene.proxy.freeze_head(Some(9));
    until(false, None).await?;
    scene.truth.mine(1).await?;
    scene.proxy.heal();
    until(true, None).await?;
    scene.truth.mine(1).await?;
    until(true, Some(11)).await?;
    Ok(())
}
