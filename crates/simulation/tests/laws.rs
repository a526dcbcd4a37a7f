//! Each law has teeth: turned off where the product meets its surroundings, some seed finds it. What is changed by hand in
//! the product's own code, and which test fails then, stands in the crate's README.

#![expect(clippy::print_stdout, reason = "which seed found what is worth reading")]
#![allow(clippy::unwrap_used, reason = "a test says what cannot go wrong by panicking")]

use facilitator_protocol::model::Kind;
use facilitator_simulation::{Mutation, Violation, run_only};
use std::fs;
use std::path::Path;

/// Seeds within which a broken law must show: as many as are run with all laws on.
const WITHIN: u64 = 10_000;

/// What the first seed that shows it in a direction has found.
fn found(mutation: Mutation, kind: Kind) -> Option<(u64, Violation)> {
    (0..WITHIN).find_map(|seed| run_only(kind, seed, mutation).violation.map(|violation| (seed, violation)))
}

#[test]
fn every_law_that_is_turned_off_is_found_out_in_both_directions() {
    let mut unseen = Vec::new();
    for mutation in Mutation::ALL {
        for kind in mutation.kinds() {
            match found(*mutation, *kind) {
                Some((seed, Violation { invariant, found })) => {
                    println!("{mutation:?} of a {kind}: seed {seed}, `{invariant}`: {found}");
                }
                None => unseen.push((*mutation, *kind)),
            }
        }
    }
    assert_eq!(unseen, [], "not found within {WITHIN} seeds");
}

/// All Rust code below a folder.
fn code(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_list_of_mutations_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let list = include_str!("../README.md");
    let rows: Vec<Vec<&str>> = list
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| law"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    for law in 1..=12 {
        let of = |row: &&Vec<&str>| row[0].split(' ').next() == Some(law.to_string().as_str());
        assert!(rows.iter().any(|row| of(&row)), "no mutation of law {law}");
    }
    for mutation in Mutation::ALL {
        assert!(rows.iter().any(|row| row[1].contains(&format!("`{mutation:?}`"))), "{mutation:?} is missing");
    }
    let mut all = String::new();
    for folder in ["crates", "bin", "tests/src", "tests/tests"] {
        code(&root.join(folder), &mut all);
    }
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        for path in row[1].split('`').filter(|word| word.starts_with("crates/")) {
            assert!(root.join(path).exists(), "{path} is not there");
        }
        let test = row[2].trim_matches('`');
        assert!(test == "seeds" || all.contains(&format!("fn {test}(")), "no test is called {test}");
    }
}
