//! The committed report of the benchmark: page, plots and the README's table are those of the values that were measured.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    artifacts,
    bench::{Report, between_marks},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    artifacts::repository().join("docs/src")
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[test]
fn the_readme_shows_the_table_of_the_committed_report() -> Result<()> {
    let report = Report::read(&folder())?;
    let readme = text(&artifacts::repository().join("README.md"))?;
    ensure!(between_marks(&readme)? == report.readme()?, "run scripts/bench --book --render");
    // The page begins with the same table.
    let table = report.readme()?.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n");
    ensure!(report.page()?.contains(&table), "the page has another table");
    Ok(())
}

#[test]
fn page_and_plots_are_those_of_the_committed_values() -> Result<()> {
    let report = Report::read(&folder())?;
    ensure!(text(&folder().join("benchmarks.md"))? == report.page()?, "run scripts/bench --book --render");
    let mut drawn = BTreeSet::new();
    for (name, svg) in report.pictures()? {
        ensure!(text(&folder().join(&name))? == svg, "{name} is another one: run scripts/bench --book --render");
        drawn.insert(name);
    }
    for entry in fs::read_dir(folder().join("images"))? {
        let name = format!("images/{}", entry?.file_name().to_string_lossy());
        ensure!(!name.starts_with("images/bench-") || drawn.contains(&name), "{name} belongs to no chapter");
    }
    Ok(())
}
