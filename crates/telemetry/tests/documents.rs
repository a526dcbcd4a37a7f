//! The documents in `config/` against the table of metrics: what is written there is what the program exports.
//!
//! `UPDATE_DOCUMENTS=1 cargo test -p facilitator-telemetry --test documents` writes the generated parts anew.
// The lint configuration knows test functions, not the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use facilitator_telemetry::metrics::{Question, table};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

const BEGIN: &str = "<!-- metrics: begin, generated from crates/telemetry/src/metrics/table.rs -->\n";
const ALERTS_HEAD: &str = "\
# Alerts

<!-- generated from config/prometheus-alerts.yml -->

The rules stand in `config/prometheus-alerts.yml`; times and limits in them are meant as a beginning. Whether it is up is \
asked of jobs whose name begins with `facilitator`, such as `job_name: facilitator-1406`: under another name \
FacilitatorAbsent fires all the time. `N` is the id of the auxiliary chain, and `…` in the line below a heading what \
Prometheus fills in.

Under systemd `facilitator start` and `stop` are `systemctl start facilitator@N` and `systemctl stop facilitator@N`, and \
all other commands run as the service's account, with its home: `MOSAIC_HOME=/var/lib/facilitator runuser -u facilitator \
-- facilitator …` ([Under systemd](systemd.md)).
";
const END: &str = "<!-- metrics: end -->\n";

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name)
}

fn generated() -> String {
    let mut text = String::new();
    for question in Question::ALL {
        text.push_str(&format!(
            "## {}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n",
            question.as_str()
        ));
        for row in table::ALL.iter().filter(|row| row.question == question) {
            let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = labels.join(", ");
            text.push_str(&format!("| `{}` | {} | {labels} | {} |\n", row.name, row.kind.as_str(), row.help));
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_document_has_the_table_of_metrics() {
    let file = document("metrics.md");
    let text = fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("the mark where the table begins");
    let (found, tail) = rest.split_once(END).expect("the mark where the table ends");
    let wanted = generated();
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&file, format!("{head}{BEGIN}{wanted}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(found, wanted, "run with UPDATE_DOCUMENTS=1 to write it anew");
}

/// Every metric of ours that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c: char| !is_name(c));
    words.filter(|word| word.starts_with("facilitator_")).collect()
}

/// Every expression of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if let Some(text) = value.as_str().filter(|_| key == "expr" || key == "query") {
                    found.push(text.to_owned());
                }
                expressions(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The labels in braces behind a metric, as `{chain="3", kind!="x"}` names them.
fn labels(expression: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices("facilitator_") {
        let rest = &expression[at..];
        let name = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().unwrap();
        let Some(inner) = rest[name.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next()) else {
            continue;
        };
        let parts = inner.split(',').filter(|part| !part.trim().is_empty());
        found.push((name, parts.map(|part| part.split(['=', '!']).next().unwrap().trim()).collect()));
    }
    found
}

fn check(what: &str, expression: &str) {
    for name in named(expression) {
        assert!(table::ALL.iter().any(|row| row.name == name), "{what}: there is no metric {name}: {expression}");
    }
    for (name, labels) in labels(expression) {
        let row = table::ALL.iter().find(|row| row.name == name).unwrap();
        for label in labels {
            let known = row.labels.contains(&label) || ["job", "instance"].contains(&label);
            assert!(known, "{what}: {name} has no label {label}: {expression}");
        }
    }
}

#[test]
fn the_dashboard_shows_only_what_is_exported_and_answers_every_question() {
    let text = fs::read_to_string(document("grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() >= 20, "{found:?}");
    found.iter().for_each(|expression| check("dashboard", expression));
    let all = found.join(" ");
    for question in Question::ALL {
        let answers = |row: &&facilitator_telemetry::metrics::Row| row.question == question && all.contains(row.name);
        assert!(table::ALL.iter().filter(answers).count() >= 3, "{}", question.as_str());
        assert!(text.contains(question.as_str()), "no row {}", question.as_str());
    }
}

#[test]
fn every_alert_fires_on_what_is_exported_and_says_what_to_do() {
    let text = fs::read_to_string(document("prometheus-alerts.yml")).unwrap();
    let alerts: Vec<&str> = text.split("      - alert: ").skip(1).collect();
    assert!(alerts.len() >= 12, "{}", alerts.len());
    let mut names = BTreeSet::new();
    for alert in alerts {
        let name = alert.lines().next().unwrap().trim();
        assert!(names.insert(name), "{name} stands twice");
        let line = |key: &str| {
            let found = alert.lines().find_map(|line| line.trim().strip_prefix(key));
            found.unwrap_or_else(|| panic!("{name} has no {key}")).trim()
        };
        let expression = line("expr:");
        assert!(!named(expression).is_empty(), "{name}: {expression}");
        check(name, expression);
        assert!(["warning", "critical"].contains(&line("severity:")), "{name}");
        assert!(line("summary:").len() > 20, "{name}");
        assert!(alert.contains("runbook: |"), "{name} does not say what to do");
    }
}

/// The lines of an alert's text that is written over several lines, without their indentation.
fn folded<'a>(alert: &'a str, key: &str) -> Vec<&'a str> {
    let mut lines = alert.lines().skip_while(|line| line.trim() != key).skip(1).peekable();
    let indent = lines.peek().map_or(0, |line| line.len() - line.trim_start().len());
    let own = lines.take_while(|line| line.len() - line.trim_start().len() >= indent);
    own.map(|line| &line[indent..]).collect()
}

/// A text with `…` for what Prometheus fills in.
fn without_templates(text: &str) -> String {
    let mut parts = text.split("{{");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "…" + part.split_once("}}").map_or("", |(_, rest)| rest))
}

/// The book's page of alerts: of each when it fires and what to do.
fn alerts_page(rules: &str) -> String {
    let mut page = ALERTS_HEAD.to_owned();
    for line in rules.split("    rules:\n").nth(1).unwrap().split("\n      ") {
        let line = line.trim_start();
        if let Some(question) = line.strip_prefix("# ") {
            page += &format!("\n## {}\n", question.trim());
        }
        let Some(name) = line.strip_prefix("- alert: ") else { continue };
        let alert = rules.split(&format!("- alert: {name}\n")).nth(1).unwrap().split("      - alert: ").next().unwrap();
        let value = |key: &str| alert.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap().trim();
        let summary = without_templates(value("summary:").trim_matches('"'));
        page +=
            &format!("\n### {name}\n\n{summary} *{}*, once it has held for {}:\n", value("severity:"), value("for:"));
        page += &format!("\n```promql\n{}\n```\n\n{}\n", value("expr:"), folded(alert, "runbook: |").join("\n").trim());
    }
    page
}

#[test]
fn the_book_says_of_every_alert_what_to_do() {
    let rules = fs::read_to_string(document("prometheus-alerts.yml")).unwrap();
    let file = document("../docs/src/production/alerts.md");
    let wanted = alerts_page(&rules);
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&file, &wanted).unwrap();
    }
    let told = fs::read_to_string(&file).unwrap();
    assert_eq!(told, wanted, "run with UPDATE_DOCUMENTS=1 to write it anew");
    let names = |text: &str, mark: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.trim().strip_prefix(mark)).map(str::to_owned).collect()
    };
    assert_eq!(names(&told, "### "), names(&rules, "- alert: "));
}

#[test]
fn a_wrong_name_or_label_would_be_found() {
    let refused = |expression: &str| std::panic::catch_unwind(|| check("test", expression)).is_err();
    assert!(refused("facilitator_redy == 0"));
    assert!(refused("sum(facilitator_requests{stat=\"COMPLETE\"})"));
    assert!(!refused("sum by (chain) (rate(facilitator_endpoint_errors_total{chain=~\"3|4\"}[5m])) > 0"));
}
