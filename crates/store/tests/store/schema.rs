//! `migrations/README.md` against the schema of a fresh database.

use crate::support::Bed;
use std::collections::BTreeMap;
use std::{fs, path::Path};

/// Tables with their columns, sorted.
type Tables = BTreeMap<String, Vec<String>>;

fn sorted(found: impl IntoIterator<Item = (String, String)>) -> Tables {
    let mut tables = Tables::new();
    for (table, column) in found {
        tables.entry(table).or_default().push(column);
    }
    tables.values_mut().for_each(|columns| columns.sort());
    tables
}

fn documented(text: &str) -> Tables {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    sorted(rows.flat_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [table, meaning, columns] = cells[..] else { panic!("{row}") };
        assert!(meaning.len() > 10, "{table} is not explained");
        let plain = |name: &str| name.trim_matches('`').to_owned();
        let table = plain(table);
        columns.split(", ").map(move |column| (table.clone(), plain(column))).collect::<Vec<_>>()
    }))
}

#[tokio::test]
async fn every_table_and_column_is_documented_and_none_beside_them() {
    let bed = Bed::new();
    bed.store().await.close().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/README.md");
    let documented = documented(&fs::read_to_string(file).unwrap());
    let found = sorted(bed.place.columns().await);
    for (table, columns) in &found {
        assert_eq!(documented.get(table), Some(columns), "{table}");
    }
    assert_eq!(documented.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
}
