//! The book against the code: it explains every reason for which a request waits, and no other.
#![allow(clippy::unwrap_used)]

use facilitator_protocol::model::{Side, awaited_root};
use std::{fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// How reasons begin, as quoted in the rows that say what a request waits for.
fn explained() -> Vec<String> {
    let page = read("docs/src/production/trouble.md");
    let table = page.split("| it says | what to do |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let said = rows.filter_map(|row| row.strip_prefix("| waits for ")?.split('|').next());
    said.flat_map(|said| said.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The texts of an enum's reasons, between these two words of the source.
fn texts<'a>(source: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    let part = source.split(from).nth(1).unwrap().split(to).next().unwrap();
    part.split('"').skip(1).step_by(2).collect()
}

#[test]
fn the_book_explains_every_reason_for_which_a_request_waits_and_no_other() {
    let explained = explained();
    let (holds, awaited) =
        (read("crates/protocol/src/transfer/accept/reasons.rs"), read("crates/protocol/src/transfer/decide.rs"));
    let holds = texts(&holds, "pub enum Hold {", "pub enum Refusal {");
    let awaited = texts(&awaited, "for Awaited {", "pub enum Decision {");
    assert!(holds.len() >= 15 && awaited.len() == 4, "{} {}", holds.len(), awaited.len());
    let mut reasons = [holds, awaited].concat();
    for text in &reasons {
        let known = explained.iter().any(|begin| text.starts_with(begin.as_str()));
        assert!(known, "the book does not explain: waits for {text}");
    }
    let worker = ["accept", "case", "progress", "prove", "hunt"];
    let worker = worker.map(|module| read(&format!("crates/roles/src/worker/{module}.rs")));
    reasons.extend(worker.iter().flat_map(|source| source.split('"').skip(1).step_by(2)));
    let root = awaited_root(Side::Origin, 7);
    reasons.push(&root);
    for begin in &explained {
        let known = reasons.iter().any(|text| text.starts_with(begin.as_str()));
        assert!(known, "the book explains what no request waits for: {begin}");
    }
}
