//! Law 8, as far as source can show it: the parent reads no chain and decodes no log.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what cannot go wrong by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What the parent may name of the crates that know chains: the words in which others speak through it, nothing that
/// asks a node, and nothing that reads bytes of a chain.
const ALLOWED: [&str; 15] = [
    "facilitator_chain::reader::Answer",
    "facilitator_chain::reader::Query",
    "facilitator_chain::sync",
    "facilitator_eth::Address",
    "facilitator_eth::B256",
    "facilitator_protocol::gateway::GatewaySet",
    "facilitator_protocol::gateway::Mints",
    "facilitator_protocol::model",
    "facilitator_protocol::secret::SecretInput",
    "facilitator_protocol::transfer::Backoff",
    "facilitator_protocol::transfer::accept::InFlight",
    "facilitator_protocol::transfer::accept::Policy",
    "facilitator_protocol::transfer::hunt::HuntPolicy",
    "facilitator_sender",
    "facilitator_store",
];

const JUDGED: [&str; 5] =
    ["facilitator_chain", "facilitator_eth", "facilitator_protocol", "facilitator_sender", "facilitator_store"];

/// Every path into a judged crate, braces spread out.
fn named(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in JUDGED {
        for (at, _) in source.match_indices(&format!("{name}::")) {
            let path: String =
                source[at..].chars().take_while(|next| next.is_alphanumeric() || "_:{}, \n".contains(*next)).collect();
            match path.split_once('{') {
                Some((stem, rest)) if !stem.contains([' ', ',', '\n']) => {
                    let items = rest.split('}').next().unwrap_or_default();
                    let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
                    found.extend(items.map(|item| format!("{stem}{item}")));
                }
                Some(_) | None => {
                    let one = path.split([' ', ',', '\n', '{', '}']).next().unwrap_or_default();
                    found.insert(one.trim_end_matches(':').to_owned());
                }
            }
        }
    }
    found
}

fn is_allowed(path: &str) -> bool {
    ALLOWED.iter().any(|allowed| path == *allowed || path.starts_with(&format!("{allowed}::")))
}

#[test]
fn the_parent_names_nothing_that_reads_a_chain() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/parent");
    let (mut files, mut all) = (0, BTreeSet::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if file.ends_with("_tests.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let names = named(&source);
        let forbidden: Vec<_> = names.iter().filter(|name| !is_allowed(name)).collect();
        assert!(forbidden.is_empty(), "{file} names {forbidden:?}");
        assert!(!source.contains("reqwest") && !source.contains("serde_json::from"), "{file} reads what others wrote");
        files += 1;
        all.extend(names);
    }
    assert!(files >= 9 && all.len() >= 8, "only {files} files with {all:?} were read");
}

#[test]
fn what_reads_a_chain_would_be_found() {
    for (source, found) in [
        ("use facilitator_chain::rpc::Rpc;", "facilitator_chain::rpc::Rpc"),
        ("use facilitator_chain::{reader::Answer, scan::fetch_range};", "facilitator_chain::scan::fetch_range"),
        ("let event = facilitator_protocol::events::decode(log);", "facilitator_protocol::events::decode"),
        ("use facilitator_eth::{\n    Address,\n    rlp,\n};", "facilitator_eth::rlp"),
    ] {
        let names = named(source);
        assert!(names.contains(found) && !is_allowed(found), "{names:?}");
    }
}
