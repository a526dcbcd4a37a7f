//! `config/alerts.md` against the table of alerts: it has each with its level and cause, in order, and no other.
#![allow(clippy::unwrap_used)]

use facilitator_monitor::{Alert, Topic};
use std::{fs, path::Path};

/// Title, level and cause of the rows below a topic's heading; each also has to say what to do.
fn documented(topic: Topic) -> Vec<[String; 3]> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/alerts.md");
    let text = fs::read_to_string(file).unwrap();
    let section = text.split("\n## ").find(|section| section.lines().next() == Some(topic.name())).unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let row = |row: &str| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let [title, level, cause, remedy] = cells.try_into().unwrap();
        assert!(remedy.ends_with('.'), "{title} does not say what to do");
        [title, level, cause]
    };
    rows.map(row).collect()
}

#[test]
fn every_alert_is_documented_as_it_is() {
    for topic in Topic::ALL {
        let own = Alert::ALL.iter().filter(|alert| alert.topic() == topic);
        let wanted: Vec<_> =
            own.map(|alert| [alert.title(), alert.level().as_str(), alert.cause()].map(str::to_owned)).collect();
        assert_eq!(documented(topic), wanted);
    }
}

/// A title is written once: monitors name the alert.
#[test]
fn no_monitor_spells_a_title_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/monitors");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        for alert in Alert::ALL {
            assert!(!source.contains(&format!("\"{}\"", alert.title())), "{}: {}", path.display(), alert.title());
        }
    }
}
