//! Some thousand cases of every target, the same in every run, and the cases that once found something.
//! `scripts/fuzz` runs others, and more of them.

use facilitator_fuzz::{Tally, run, targets};

/// First case. Cases below are kept for findings by number.
const FROM: u64 = 1_000_000;
const CASES: u64 = 3_000;

#[test]
fn every_target_keeps_its_promises_and_takes_some_and_refuses_some() {
    let mut findings = Vec::new();
    for target in targets() {
        let mut tally = Tally::default();
        let found = (FROM..FROM + CASES).find_map(|case| run(&target, case, &mut tally).err());
        match found {
            Some(finding) => findings.push(finding.to_string()),
            // A target that takes nothing, or everything, tests nothing.
            None if tally.taken * 200 < CASES || tally.refused * 200 < CASES => {
                findings.push(format!("{}: {tally:?} of {CASES} cases", target.name));
            }
            None => {}
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n\n"));
}

#[test]
fn the_same_case_is_the_same_again() {
    let tallies = || {
        let run_some = |target| {
            let mut tally = Tally::default();
            let found: Vec<_> = (0..50).filter_map(|case| run(target, case, &mut tally).err()).collect();
            (tally.taken, tally.refused, found)
        };
        targets().iter().map(run_some).collect::<Vec<_>>()
    };
    assert_eq!(tallies(), tallies());
}
