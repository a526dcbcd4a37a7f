use super::super::{Candidate, active_set};
use super::*;

const HOUR: i64 = 3_600_000;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// In maintenance since 0.
fn down() -> Instance {
    let mut instance = Instance::registered(0);
    instance.status = Status::InMaintenance;
    instance.statistics.last_down_ms = Some(0);
    instance
}

fn raised(approvals: &[&str]) -> Proposal {
    Proposal {
        target: "a".to_owned(),
        proposer: "b".to_owned(),
        created_ms: 12 * HOUR,
        ticks: 0,
        approvals: names(approvals),
    }
}

#[test]
fn twelve_hours_to_the_millisecond_are_too_long() {
    let params = Params::default();
    assert!(!is_overdue(&down(), 12 * HOUR - 1, &params));
    assert!(is_overdue(&down(), 12 * HOUR, &params));
    let working = Instance { status: Status::Active, ..down() };
    assert!(!is_overdue(&working, 24 * HOUR, &params));
}

#[test]
fn more_than_two_thirds_of_the_others_decide() {
    let (params, now) = (Params::default(), 13 * HOUR);
    let count =
        |approvals: &[&str], active: &[&str]| verdict(&raised(approvals), &down(), &names(active), now, &params);
    assert_eq!(count(&[], &["b"]), Vote::Approved, "the only other one");
    assert_eq!(count(&[], &["b", "c"]), Vote::Pending);
    assert_eq!(count(&["c"], &["b", "c"]), Vote::Approved);
    assert_eq!(count(&["c"], &["b", "c", "d"]), Vote::Pending, "two of three are not more than two thirds");
    assert_eq!(count(&["c", "d"], &["b", "c", "d"]), Vote::Approved);
    assert_eq!(count(&["a", "x", "y"], &["b", "c", "d"]), Vote::Pending, "neither the target nor strangers vote");
    assert_eq!(count(&[], &[]), Vote::Pending, "nobody could approve");
}

#[test]
fn a_proposal_ends_with_its_maintenance_or_after_its_ticks() {
    let (params, now, active) = (Params::default(), 13 * HOUR, names(&["b", "c"]));
    let back = Instance { status: Status::Active, ..down() };
    assert_eq!(verdict(&raised(&["c"]), &back, &active, now, &params), Vote::Dropped);
    let mut again = down();
    again.statistics.last_down_ms = Some(12 * HOUR + 1);
    assert_eq!(verdict(&raised(&["c"]), &again, &active, 30 * HOUR, &params), Vote::Dropped, "another maintenance");
    let late = Proposal { ticks: params.proposal_ticks, ..raised(&[]) };
    assert_eq!(verdict(&late, &down(), &active, now, &params), Vote::Expired);
    assert_eq!(verdict(&late, &down(), &[], now, &params), Vote::Pending);
}

#[test]
fn the_active_ones_take_turns_and_nobody_proposes_about_itself() {
    let active = names(&["c", "a", "b"]);
    let turns: Vec<_> = (0..4).map(|turn| next_proposer(&active, "a", turn).unwrap().as_str()).collect();
    assert_eq!(turns, ["b", "c", "b", "c"]);
    assert_eq!(next_proposer(&names(&["a"]), "a", 0), None);
}

#[test]
fn the_heaviest_are_active_and_a_newcomer_of_equal_weight_drops_nobody() {
    let candidate = |name: &str, weight, status, ready| Candidate { name: name.to_owned(), weight, status, ready };
    let all = [
        candidate("a-new", 1, Status::Inactive, true),
        candidate("b-works", 1, Status::Active, true),
        candidate("c-heavy", 2, Status::Inactive, true),
        candidate("d-not-ready", 9, Status::Inactive, false),
        candidate("e-gone", 9, Status::Deregistered, true),
    ];
    assert_eq!(active_set(&all, 2), ["c-heavy", "b-works"]);
    assert_eq!(active_set(&all, 15), ["c-heavy", "b-works", "a-new"]);
}
