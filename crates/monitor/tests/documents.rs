//! The book against the code: it names every system event, and no other.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

/// Literals of the monitors that begin with a capital letter and are no monitor's name.
fn titles_in_code() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/monitors");
    let mut titles = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        let literals = code.split('"').skip(1).step_by(2);
        let is_title = |text: &&str| text.starts_with(char::is_uppercase) && !text.contains(['{', '\n']);
        titles.extend(literals.filter(is_title).map(str::to_owned));
    }
    for name in ["Stake", "Redeem", "Message", "Gateway", "Supply", "Facilitator"] {
        assert!(titles.remove(name), "there is no monitor {name}");
    }
    titles
}

fn titles_in_book() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/production/watching.md");
    let page = fs::read_to_string(page).unwrap();
    let table = page.split("| monitor | informational | warning | critical |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.flat_map(|row| row.trim_matches('|').split('|').skip(1));
    cells
        .flat_map(|cell| cell.split(", "))
        .map(|title| title.trim().to_owned())
        .filter(|title| !title.is_empty())
        .collect()
}

#[test]
fn the_book_names_every_event_and_no_other() {
    assert_eq!(titles_in_book(), titles_in_code());
}
