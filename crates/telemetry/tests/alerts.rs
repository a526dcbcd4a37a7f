//! The alert rules of `config/` as Prometheus itself reads and evaluates them: `alerts.yml` has the cases.
//!
//! `scripts/promtool` finds promtool, or takes it out of a package.
// The lint configuration knows test functions, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rules() -> PathBuf {
    root().join("config/prometheus-alerts.yml")
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alerts.yml")
}

/// Runs promtool in a folder that has rules and cases side by side, as the cases name the rules.
fn promtool(name: &str, rules: &str, arguments: &[&str]) -> Result<(), String> {
    let found = Command::new(root().join("scripts/promtool")).output().unwrap();
    let tool = String::from_utf8(found.stdout).unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("prometheus-alerts.yml"), rules).unwrap();
    fs::copy(cases(), folder.join("alerts.yml")).unwrap();
    let run = Command::new(tool.trim()).args(arguments).current_dir(&folder).output().unwrap();
    let said = [run.stdout, run.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    if run.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn every_rule_fires_when_it_should_and_only_then() {
    let rules = fs::read_to_string(rules()).unwrap();
    promtool("alerts", &rules, &["check", "rules", "prometheus-alerts.yml"]).unwrap();
    promtool("alerts", &rules, &["test", "rules", "alerts.yml"]).unwrap();
    let cases = fs::read_to_string(cases()).unwrap();
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let fires = format!("alertname=\"{name}\",alertstate=\"firing\"");
        assert!(cases.contains(&fires), "no case in which {name} fires");
    }
}

#[test]
fn a_rule_that_is_wrong_would_be_found() {
    let rules = fs::read_to_string(rules()).unwrap();
    for (right, wrong) in [
        // One that never fires, one that always does, and one that says the same once for each instance.
        ("facilitator_chain_alarm == 1", "facilitator_chain_alarm == 2"),
        ("facilitator_key_runway_hours < 24", "facilitator_key_runway_hours < +Inf"),
        ("max by (job, kind) (facilitator_requests_failing) > 0", "facilitator_requests_failing > 0"),
    ] {
        assert!(rules.contains(right), "{right}");
        let told = promtool("wrong-alerts", &rules.replace(right, wrong), &["test", "rules", "alerts.yml"]);
        assert!(told.is_err_and(|said| said.contains("FAILED")), "{wrong}");
    }
}
