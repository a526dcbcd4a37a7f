//! The committed report of the benchmark: page, plots and the README's table are those of the values that were measured.
//! Without values neither of them shows any.

use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    artifacts,
    bench::{Report, UNMEASURED, between_marks},
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

/// The committed report; none before a whole one was measured.
fn committed() -> Result<Option<Report>> {
    folder().join("benchmarks.json").exists().then(|| Report::read(&folder())).transpose()
}

#[test]
fn the_readme_shows_the_table_of_the_committed_report() -> Result<()> {
    let readme = text(&artifacts::repository().join("README.md"))?;
    let Some(report) = committed()? else {
        ensure!(between_marks(&readme)?.is_empty(), "a table of nothing");
        return Ok(());
    };
    ensure!(between_marks(&readme)? == report.readme()?, "run scripts/bench --book --render");
    // The page begins with the same table.
    let table = report.readme()?.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n");
    ensure!(report.page()?.contains(&table), "the page has another table");
    Ok(())
}

#[test]
fn page_and_plots_are_those_of_the_committed_values() -> Result<()> {
    let (page, pictures) = match committed()? {
        Some(report) => (report.page()?, report.pictures()?),
        None => (UNMEASURED.to_owned(), vec![]),
    };
    ensure!(text(&folder().join("benchmarks.md"))? == page, "run scripts/bench --book --render");
    let mut drawn = BTreeSet::new();
    for (name, svg) in pictures {
        ensure!(text(&folder().join(&name))? == svg, "{name} is another one: run scripts/bench --book --render");
        drawn.insert(name);
    }
    for entry in fs::read_dir(folder().join("images"))? {
        let name = format!("images/{}", entry?.file_name().to_string_lossy());
        ensure!(!name.starts_with("images/bench-") || drawn.contains(&name), "{name} belongs to no chapter");
    }
    Ok(())
}
