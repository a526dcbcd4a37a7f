//! `facilitator connections`: the endpoints of both chains, from the last report of the running facilitator.

use super::{context, start};
use crate::cli::ConnectionsArgs;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_roles::clock::now_ms;
use facilitator_roles::connections::{Connections, EndpointStanding};
use facilitator_roles::parent::{ChainStanding, Standing};
use facilitator_roles::running;
use serde::Serialize;

#[derive(Serialize)]
struct View<'a> {
    chain_id: u64,
    origin_chain_id: u64,
    /// Milliseconds since the facilitator reported.
    age_ms: i64,
    chains: Vec<ChainView<'a>>,
}

#[derive(Serialize)]
struct ChainView<'a> {
    side: &'a str,
    chain_id: u64,
    /// What keeps the chain from being worked on.
    trouble: Option<&'a str>,
    /// Null until the scanner has told.
    connections: Option<&'a Connections>,
}

/// Does it.
pub(crate) async fn run(args: ConnectionsArgs) -> Result<Exit, Failure> {
    let loaded = context::load_config(&context::selection(&args.pair), &context::home()?).await?;
    let not_running = || {
        let text = format!(
            "no facilitator runs for chain {0}; start it with `facilitator start --chain-id {0}`",
            args.pair.chain_id
        );
        Failure::new(Exit::NotRunning, text)
    };
    let store = context::open_if_made(&loaded).await?.ok_or_else(not_running)?;
    let now = now_ms();
    let process = running::own(&store, &start::instance(&loaded), now).await?.ok_or_else(not_running)?;
    let pair = store.pair();
    store.close().await;
    let standing = process.detail.as_deref().and_then(|detail| serde_json::from_str::<Standing>(detail).ok());
    let chains = standing.as_ref().map_or(&[][..], |standing| standing.chains.as_slice());
    let view = View {
        chain_id: pair.auxiliary_chain_id,
        origin_chain_id: pair.origin_chain_id,
        age_ms: now.saturating_sub(process.heartbeat_at_ms),
        chains: chains.iter().map(chain_view).collect(),
    };
    if args.json {
        output::json(&view)?;
        return Ok(Exit::Done);
    }
    if view.chains.is_empty() {
        output::line("The facilitator has just been started and has not reported yet.");
    }
    for (index, chain) in view.chains.iter().enumerate() {
        if index > 0 {
            output::line("");
        }
        show(chain);
    }
    Ok(Exit::Done)
}

fn chain_view(chain: &ChainStanding) -> ChainView<'_> {
    ChainView {
        side: &chain.side,
        chain_id: chain.chain_id,
        trouble: chain.trouble.as_deref(),
        connections: chain.connections.as_ref(),
    }
}

fn show(chain: &ChainView<'_>) {
    let name = format!("{} chain {}", chain.side, chain.chain_id);
    let Some(connections) = chain.connections else {
        let why = chain.trouble.map_or_else(String::new, |trouble| format!(": {trouble}"));
        return output::line(&format!("{name}: the scanner is starting{why}"));
    };
    let Connections { state, mode, connected, minimum_connections, .. } = connections;
    let block = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    output::line(&format!(
        "{name}: {state}, mode {mode}, {connected} connected ({minimum_connections} needed to begin)"
    ));
    output::line(&format!(
        "Newest block {}, agreed as final {}, events stored to {}",
        block(connections.height),
        block(connections.released),
        block(connections.scanned)
    ));
    let header = ["ENDPOINT", "HEALTH", "HEAD", "LATENCY", "CALLS", "REQUESTS", "ERRORS", "HEADS BY"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(connections.endpoints.iter().map(|endpoint| {
        let read = connections.the_client.as_deref() == Some(endpoint.endpoint.as_str());
        row(endpoint, read, block(endpoint.head))
    }));
    output::line(&output::table(&rows));
    for endpoint in &connections.endpoints {
        if let Some(reason) = &endpoint.reason {
            output::line(&format!("{}: {reason}", endpoint.endpoint));
        }
    }
    if let Some(note) = &connections.note {
        output::line(&format!("Note: {note}"));
    }
    if let Some(trouble) = chain.trouble {
        output::line(&format!("Trouble: {trouble}"));
    }
}

fn row(endpoint: &EndpointStanding, read: bool, head: String) -> Vec<String> {
    let health = if read { format!("{}, read", endpoint.health) } else { endpoint.health.clone() };
    vec![
        endpoint.endpoint.clone(),
        health,
        head,
        format!("{} ms", endpoint.latency_ms),
        endpoint.calls.to_string(),
        endpoint.requests.to_string(),
        endpoint.errors.to_string(),
        if endpoint.subscribed { "announcement" } else { "polling" }.to_owned(),
    ]
}
