//! `facilitator scanner rewind`: the operator's word about a fork that is too deep to be followed.

use super::context;
use crate::cli::ScannerCommand;
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::{Home, Loaded, Selection};
use facilitator_roles::clock::now_ms;
use facilitator_store::Access;
use serde::Serialize;

#[derive(Serialize)]
struct Rewound {
    chain_id: u64,
    /// The newest block that was kept; null where the chain is read from its beginning.
    to: Option<u64>,
    /// Events that were removed.
    events: u64,
    /// Requests that were known only from removed blocks and never acted upon.
    forgotten: u64,
    /// Requests that are looked at again.
    reopened: u64,
}

/// Does it.
pub(crate) async fn run(command: ScannerCommand) -> Result<Exit, Failure> {
    let ScannerCommand::Rewind { chain_id, to, facilitator_config, mosaic_config, json } = command;
    let home = context::home()?;
    let given = facilitator_config.is_some();
    let selection = |pair: Option<u64>| Selection {
        auxiliary_chain_id: pair,
        facilitator_config: facilitator_config.clone(),
        mosaic_config: mosaic_config.clone(),
    };
    let loaded = if given {
        let loaded = context::load_config(&selection(None), &home).await?;
        if !has_chain(&loaded, chain_id) {
            return Err(unknown(chain_id));
        }
        loaded
    } else {
        find(chain_id, &home, &selection).await?
    };
    let store = context::open(&loaded, Access::Writer).await?;
    let rewound = store.rewind(chain_id, to, now_ms()).await?;
    store.close().await;
    let Some(rewound) = rewound else {
        let text = format!("chain {chain_id} is not read beyond block {to}: there is nothing to undo");
        return Err(Failure::new(Exit::Failed, text));
    };
    let undone = rewound.undone;
    let to = rewound.to.map(|block| block.number);
    if json {
        let (events, forgotten, reopened) = (undone.events, undone.forgotten, undone.reopened);
        output::json(&Rewound { chain_id, to, events, forgotten, reopened })?;
        return Ok(Exit::Done);
    }
    let from = to.map_or_else(|| "its beginning".to_owned(), |block| format!("block {block}"));
    output::line(&format!(
        "Chain {chain_id} is read again from {from}: {} events undone, {} requests forgotten, {} looked at again.",
        undone.events, undone.forgotten, undone.reopened
    ));
    Ok(Exit::Done)
}

const fn has_chain(loaded: &Loaded, chain_id: u64) -> bool {
    loaded.facilitator.auxiliary.chain_id == chain_id || loaded.facilitator.origin.chain_id == chain_id
}

/// The pair whose auxiliary chain it is, else the only pair whose origin chain it is.
async fn find(chain_id: u64, home: &Home, selection: &impl Fn(Option<u64>) -> Selection) -> Result<Loaded, Failure> {
    let configured = home.configured_chains()?;
    if configured.contains(&chain_id) {
        return context::load_config(&selection(Some(chain_id)), home).await;
    }
    let mut found = Vec::new();
    for pair in configured {
        let loaded = context::load_config(&selection(Some(pair)), home).await?;
        if has_chain(&loaded, chain_id) {
            found.push((pair, loaded));
        }
    }
    if found.len() > 1 {
        let pairs: Vec<String> = found.iter().map(|(pair, _)| pair.to_string()).collect();
        let text = format!(
            "chain {chain_id} is the origin of several pairs ({}); say which with --facilitator-config",
            pairs.join(", ")
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    found.pop().map(|(_, loaded)| loaded).ok_or_else(|| unknown(chain_id))
}

fn unknown(chain_id: u64) -> Failure {
    let text = format!(
        "chain {chain_id} is of no configured pair; `facilitator list` and the configs below the home directory tell which there are"
    );
    Failure::new(Exit::Usage, text)
}
