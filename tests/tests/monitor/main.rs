//! `facilitator monitor` on real nodes and contracts, telling real programs over HTTP.

// What fails here should fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod facilitator;
mod faults;
mod instances;
mod life;
mod others;
mod redeems;
mod reverts;
mod runs;

use anyhow::{Result, ensure};
use facilitator_tests::artifacts::repository;
use std::fs;

/// Each title of `config/alerts.md`, which has those of the code and no others.
fn titles() -> Result<Vec<String>> {
    let table = fs::read_to_string(repository().join("config/alerts.md"))?;
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    let titles = rows.filter_map(|row| row.split(" | ").next()).filter(|title| *title != "alert");
    Ok(titles.map(str::to_owned).collect())
}

/// No alert without a test in this folder that names it.
#[test]
fn each_alert_is_raised_by_making_its_cause_happen() -> Result<()> {
    let mut tests = String::new();
    for file in fs::read_dir(repository().join("tests/tests/monitor"))? {
        tests.push_str(&fs::read_to_string(file?.path())?);
    }
    let titles = titles()?;
    ensure!(titles.len() > 40, "these are not all: {titles:?}");
    let missing: Vec<_> = titles.iter().filter(|title| !tests.contains(&format!("\"{title}\""))).collect();
    ensure!(missing.is_empty(), "no test raises {missing:?}");
    Ok(())
}
