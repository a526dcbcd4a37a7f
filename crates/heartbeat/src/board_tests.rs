use super::*;

const SECOND: i64 = 1_000;

fn params() -> Params {
    Params {
        heartbeat_frequency_ms: 2 * SECOND,
        deregister_time_ms: 20 * SECOND,
        maintenance_interval_ms: 5 * SECOND,
        reward_interval_ms: 60 * SECOND,
        ..Params::default()
    }
}

fn member(name: &str, now_ms: i64) -> Member {
    let mut instance = Instance::registered(now_ms);
    instance.ready = true;
    Member { name: name.to_owned(), weight: 1, instance }
}

fn board(names: &[&str]) -> Board {
    Board { members: names.iter().map(|name| member(name, 0)).collect(), ..Board::default() }
}

fn of<'a>(board: &'a Board, name: &str) -> &'a Instance {
    &board.members.iter().find(|member| member.name == name).unwrap().instance
}

/// Every active instance but `silent` sends a heartbeat, then `me` tends the board.
fn pass(board: &Board, me: &str, silent: &[&str], now_ms: i64) -> Tended {
    let mut board = board.clone();
    for member in board.members.iter_mut().filter(|member| !silent.contains(&member.name.as_str())) {
        if let Ok(applied) = apply(&member.instance, Event::Heartbeat { sent_ms: now_ms }, now_ms, &params()) {
            member.instance = applied.instance;
        }
    }
    tend(&board, me, now_ms, &params())
}

#[test]
fn the_first_look_at_a_new_board_is_a_tick() {
    let tended = tend(&board(&["a", "b"]), "a", SECOND, &params());
    assert!(tended.ticked);
    assert_eq!(tended.moved.len(), 2);
    assert_eq!(of(&tended.board, "b").status, Status::Active);
    assert_eq!(tended.board.next_tick_ms, Some(6 * SECOND));
    let again = tend(&tended.board, "b", SECOND + 1, &params());
    assert!(!again.ticked && again.moved.is_empty());
    assert_eq!(again.board, tended.board, "what was done is not due any more");
}

#[test]
fn where_nobody_works_the_first_that_could_is_not_kept_waiting() {
    let mut early = board(&["a", "b"]);
    early.members[0].instance.ready = false;
    early.members[1].instance.ready = false;
    let mut tended = tend(&early, "a", 0, &params());
    assert!(tended.ticked && tended.moved.is_empty(), "nobody was ready");
    tended = tend(&tended.board, "a", 1, &params());
    assert!(!tended.ticked, "nobody is");
    tended.board.members[0].instance.ready = true;
    tended = tend(&tended.board, "a", 2, &params());
    assert!(tended.ticked);
    assert_eq!(of(&tended.board, "a").status, Status::Active);
    tended.board.members[1].instance.ready = true;
    tended = tend(&tended.board, "b", 3, &params());
    assert!(!tended.ticked, "the second one waits for the tick");
}

#[test]
fn a_silent_instance_is_noticed_by_the_others_and_comes_back_at_a_tick_alone() {
    let mut tended = tend(&board(&["a", "b"]), "a", 0, &params());
    for second in 1..=4 {
        tended = pass(&tended.board, "b", &["a"], second * SECOND);
        assert_eq!(of(&tended.board, "a").status, Status::Active, "after {second} s");
    }
    tended = pass(&tended.board, "b", &["a"], 4 * SECOND + 1);
    let moved = &tended.moved;
    assert_eq!((moved.len(), moved[0].name.as_str(), moved[0].to), (1, "a", Status::Inactive));
    let mut board = tended.board;
    board.members[0].instance.ready = true;
    let between = tend(&board, "b", 4 * SECOND + 2, &params());
    assert_eq!(of(&between.board, "a").status, Status::Inactive);
    let ticked = pass(&between.board, "b", &[], 5 * SECOND);
    assert_eq!(of(&ticked.board, "a").status, Status::Active);
}

#[test]
fn too_long_a_maintenance_ends_in_a_proposal_of_another_instance() {
    let mut board = tend(&board(&["a", "b"]), "a", 0, &params()).board;
    board.members[0].instance = apply(of(&board, "a"), Event::RequestMaintenance, SECOND, &params()).unwrap().instance;
    for second in 2..=24 {
        let tended = pass(&board, "b", &[], second * SECOND);
        assert!(tended.closed.is_empty() && tended.board.proposals.is_empty(), "after {second} s");
        board = tended.board;
    }
    assert_eq!(of(&board, "a").statistics.last_down_ms, Some(5 * SECOND));
    let alone = pass(&board, "a", &[], 25 * SECOND);
    assert!(alone.closed.is_empty(), "nobody proposes about itself");
    let tended = pass(&board, "b", &[], 25 * SECOND);
    assert_eq!(tended.closed.len(), 1);
    assert_eq!((tended.closed[0].vote, tended.closed[0].proposal.proposer.as_str()), (Vote::Approved, "b"));
    let gone = of(&tended.board, "a");
    assert_eq!((gone.status, gone.statistics.deregistered_ms), (Status::Deregistered, Some(25 * SECOND)));
    assert!(tended.moved.iter().any(|moved| moved.to == Status::Deregistered && moved.reason.contains("by b")));
    assert!(pass(&tended.board, "b", &[], 26 * SECOND).board.proposals.is_empty());
}

#[test]
fn with_two_others_both_must_approve() {
    let mut board = tend(&board(&["a", "b", "c"]), "a", 0, &params()).board;
    board.members[0].instance.status = Status::InMaintenance;
    board.members[0].instance.statistics.last_down_ms = Some(0);
    for second in 1..20 {
        board = pass(&board, "b", &[], second * SECOND).board;
    }
    let raised = pass(&board, "b", &[], 20 * SECOND);
    assert_eq!((raised.board.proposals.len(), raised.closed.len()), (1, 0));
    let same = pass(&raised.board, "b", &[], 20 * SECOND + 1);
    assert_eq!(same.board.proposals, raised.board.proposals, "one open proposal a target, one vote an instance");
    let decided = pass(&same.board, "c", &[], 20 * SECOND + 2);
    assert_eq!(decided.closed.len(), 1);
    assert_eq!(of(&decided.board, "a").status, Status::Deregistered);
}

#[test]
fn who_signed_how_much_is_told_by_the_reward_run_and_counted_anew() {
    let mut board = tend(&board(&["a", "b"]), "a", 0, &params()).board;
    assert_eq!(board.next_reward_ms, Some(60 * SECOND));
    for _ in 0..3 {
        board.members[1].instance = apply(of(&board, "b"), Event::Signed, SECOND, &params()).unwrap().instance;
    }
    assert_eq!(pass(&board, "a", &[], 2 * SECOND).rewarded, None);
    let run = pass(&board, "a", &[], 60 * SECOND);
    assert_eq!(run.rewarded, Some(vec![("a".to_owned(), 0), ("b".to_owned(), 3)]));
    let counted = of(&run.board, "b").statistics;
    assert_eq!((counted.txs_signed, counted.total_txs_signed), (0, 3));
    assert_eq!(run.board.next_reward_ms, Some(120 * SECOND));
}

#[test]
fn a_clock_that_went_back_stops_neither_ticks_nor_reward_runs() {
    let board = tend(&board(&["a"]), "a", 1_000 * SECOND, &params()).board;
    let back = tend(&board, "a", SECOND, &params());
    assert!(back.ticked && back.rewarded.is_some());
    assert_eq!((back.board.next_tick_ms, back.board.next_reward_ms), (Some(6 * SECOND), Some(61 * SECOND)));
}

#[test]
fn only_another_one_that_could_work_relieves_one_that_can_not() {
    let mut board = tend(&board(&["a", "b"]), "a", 0, &params()).board;
    let say = |board: &mut Board, at: usize, event, now_ms| {
        board.members[at].instance = apply(&board.members[at].instance, event, now_ms, &params()).unwrap().instance;
    };
    say(&mut board, 0, Event::NotReady, SECOND);
    say(&mut board, 1, Event::NotReady, SECOND);
    for second in 2..=6 {
        board = pass(&board, "b", &[], second * SECOND).board;
    }
    assert_eq!(of(&board, "a").status, Status::Active, "the nodes of both are down");
    say(&mut board, 1, Event::Ready, 6 * SECOND);
    let tended = pass(&board, "b", &[], 6 * SECOND + 1);
    assert_eq!((of(&tended.board, "a").status, of(&tended.board, "b").status), (Status::Inactive, Status::Active));
}
