//! The book, followed to the letter: every `console` block of every page, in a machine of its own.

use anyhow::{Result, ensure};
use facilitator_tests::book::{Page, play};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A test for each page with examples.
macro_rules! pages {
    ($($test:ident: $page:literal,)*) => {
        const PAGES: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $test() -> Result<()> {
                play($page)
            }
        )*
    };
}

pages! {
    the_quick_start_ends_with_stakes_paid_out: "quick-start.md",
    it_is_installed: "production/install.md",
    keys_are_made_and_funded: "production/keys.md",
    systemd_runs_it: "production/systemd.md",
    it_runs_as_a_container: "production/container.md",
    its_endpoints_are_looked_at: "production/nodes.md",
    its_earnings_are_added_up: "production/earnings.md",
    it_is_looked_at_from_elsewhere: "production/observing.md",
    the_gateways_are_watched: "production/watching.md",
    what_is_stuck_is_found: "production/trouble.md",
    it_moves_to_a_database_server: "production/database.md",
    a_second_instance_joins: "production/instances.md",
    a_lost_database_is_recovered: "production/recovery.md",
    it_is_upgraded: "production/upgrades.md",
    an_earlier_facilitator_is_followed: "migrating.md",
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src")
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            markdown(&path, found)?;
        } else if path.extension().is_some_and(|kind| kind == "md") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_page_with_examples_is_followed_and_stands_in_the_summary() -> Result<()> {
    let mut files = Vec::new();
    markdown(&sources(), &mut files)?;
    let summary = fs::read_to_string(sources().join("SUMMARY.md"))?;
    let mut with_examples = BTreeSet::new();
    for file in files {
        let name = file.strip_prefix(sources())?.to_string_lossy().into_owned();
        ensure!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is not in the summary");
        if Page::read(&sources(), &name)?.has_examples() {
            with_examples.insert(name);
        }
    }
    ensure!(with_examples == PAGES.iter().map(ToString::to_string).collect(), "{with_examples:?}");
    Ok(())
}

/// The pages to which links and includes lead, of the book and of what stands beside it.
#[test]
fn no_link_leads_nowhere() -> Result<()> {
    let mut files = Vec::new();
    markdown(&sources(), &mut files)?;
    let repository = sources().join("../..");
    markdown(&repository.join("config"), &mut files)?;
    files.extend(["README.md", "ARCHITECTURE.md"].map(|name| repository.join(name)));
    for file in &files {
        let text = fs::read_to_string(file)?;
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let includes = text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next());
        for target in targets.chain(includes) {
            if target.contains("://") || target.contains(' ') {
                continue;
            }
            let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
            let folder = file.parent().unwrap_or(Path::new("."));
            let to = if path.is_empty() { file.clone() } else { folder.join(path) };
            ensure!(to.exists(), "{} leads to {target}, which is not there", file.display());
            if let Some(anchor) = anchor {
                ensure!(anchors(&with_includes(&to)?).contains(anchor), "{}: no heading {target}", file.display());
            }
        }
    }
    Ok(())
}

/// A page with the files that it includes.
fn with_includes(page: &Path) -> Result<String> {
    let mut text = fs::read_to_string(page)?;
    let included: Vec<String> =
        text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next()).map(str::to_owned).collect();
    for file in included {
        text += &fs::read_to_string(page.parent().unwrap_or(Path::new(".")).join(file))?;
    }
    Ok(text)
}

/// The anchors of a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut is_fenced = false;
    let headings = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && line.starts_with('#')
    });
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}
