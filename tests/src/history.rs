//! A chain with a long past. The blocks are written into what a killed node keeps of its chain: to make them one by one
//! takes a node the longer the more it has.

use crate::{header::seal, node::quantity};
use anyhow::{Context as _, Result};
use facilitator_eth::{keccak256, rlp};
use serde_json::{Value as Json, json};
use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
};

/// Adds empty blocks above the newest one, a second apart.
///
/// # Errors
/// When the file is not what a node writes.
pub fn lengthen(state: &Path, blocks: u64) -> Result<()> {
    let mut kept: Json = serde_json::from_slice(&fs::read(state)?)?;
    let head = kept["best_block_number"].as_u64().context("no best block")?;
    let all = kept["blocks"].as_array_mut().context("no blocks")?;
    let number = json!(format!("{head:#x}"));
    let mut block = all.iter().find(|block| block["header"]["number"] == number).context("no newest block")?.clone();
    block["transactions"] = json!([]);
    // An empty trie, and a filter of nothing.
    let empty = keccak256(rlp::string(&[]));
    let mut hash = seal(&block["header"])?;
    let header = &mut block["header"];
    (header["transactionsRoot"], header["receiptsRoot"]) = (json!(empty), json!(empty));
    (header["logsBloom"], header["gasUsed"]) = (json!(format!("0x{}", "00".repeat(256))), json!("0x0"));
    let began = quantity(&header["timestamp"])?;
    let (last, ends) = (head + blocks, began + blocks);
    kept["best_block_number"] = json!(last);
    (kept["block"]["number"], kept["block"]["timestamp"]) = (json!(format!("{last:#x}")), json!(format!("{ends:#x}")));

    let mut file = BufWriter::new(File::create(state)?);
    let before = kept["blocks"].take();
    let before = before.as_array().context("no blocks")?;
    let rest = kept.as_object_mut().context("no object")?;
    rest.remove("blocks");
    write!(file, "{{\"blocks\":[")?;
    for block in before {
        write!(file, "{block},")?;
    }
    for above in 1..=blocks {
        let header = &mut block["header"];
        header["parentHash"] = json!(hash);
        header["number"] = json!(format!("{:#x}", head + above));
        header["timestamp"] = json!(format!("{:#x}", began + above));
        hash = seal(header)?;
        write!(file, "{block}{}", if above < blocks { "," } else { "" })?;
    }
    write!(file, "]")?;
    for (name, value) in rest {
        write!(file, ",{}:{value}", json!(name))?;
    }
    write!(file, "}}")?;
    Ok(file.flush()?)
}
