use super::*;

const SECOND: i64 = 1_000;

fn params() -> Params {
    Params {
        heartbeat_frequency_ms: 2 * SECOND,
        deregister_time_ms: 20 * SECOND,
        maintenance_interval_ms: 5 * SECOND,
        tolerance_ms: SECOND,
        ..Params::default()
    }
}

fn after(instance: &Instance, event: Event, now_ms: i64) -> Instance {
    apply(instance, event, now_ms, &params()).unwrap().instance
}

/// Nobody else could work.
const WATCH: Event = Event::Watch { has_relief: false };

/// Registered at 0, active from 10 s on.
fn active() -> Instance {
    let ready = after(&Instance::registered(0), Event::Ready, 9 * SECOND);
    after(&ready, Event::Tick { in_active_set: true }, 10 * SECOND)
}

/// In maintenance since 15 s.
fn in_maintenance() -> Instance {
    let asked = after(&active(), Event::RequestMaintenance, 12 * SECOND);
    after(&asked, Event::Tick { in_active_set: true }, 15 * SECOND)
}

fn in_every_status() -> [Instance; 5] {
    let gone = after(&active(), Event::Deregister, 11 * SECOND);
    let asked = after(&active(), Event::RequestMaintenance, 11 * SECOND);
    [Instance::registered(0), active(), asked, in_maintenance(), gone]
}

#[test]
fn a_new_instance_is_taken_up_by_the_first_tick_after_it_is_ready() {
    let new = Instance::registered(0);
    assert_eq!(new.status, Status::Inactive);
    assert_eq!(after(&new, Event::Tick { in_active_set: true }, SECOND).status, Status::Inactive);
    let refused = apply(&new, Event::Heartbeat { sent_ms: SECOND }, SECOND, &params());
    assert_eq!(refused, Err(Refusal::NoHeartbeatDue(Status::Inactive)));
    let active = active();
    assert_eq!((active.status, active.statistics.last_active_ms), (Status::Active, Some(10 * SECOND)));
    assert_eq!(active.statistics.total_inactive_ms, 10 * SECOND);
    let outside = after(&after(&new, Event::Ready, 1), Event::Tick { in_active_set: false }, SECOND);
    assert_eq!(outside.status, Status::Inactive);
}

/// The table in the head of the crate: what each event makes of each status.
#[test]
fn every_event_does_in_every_status_what_the_table_says() {
    use Status::{Active, Deregistered, InMaintenance, Inactive, RequestMaintenance};
    let now = 15 * SECOND + 500;
    let heartbeat = Event::Heartbeat { sent_ms: now };
    let (tick, dropped) = (Event::Tick { in_active_set: true }, Event::Tick { in_active_set: false });
    let (back, elsewhere) = (Event::Return { in_active_set: true }, Event::Return { in_active_set: false });
    let (same, refused) = (Status::ALL.map(Some), None);
    let table: [(Event, [Option<Status>; 5]); 13] = [
        (heartbeat, [refused, Some(Active), Some(RequestMaintenance), refused, refused]),
        (Event::RequestMaintenance, [refused, Some(RequestMaintenance), refused, refused, refused]),
        (Event::CancelMaintenance, [refused, refused, Some(Active), refused, refused]),
        (back, [refused, refused, refused, Some(Active), refused]),
        (elsewhere, [refused, refused, refused, Some(Inactive), refused]),
        (tick, [Some(Inactive), Some(Active), Some(InMaintenance), Some(InMaintenance), Some(Deregistered)]),
        (dropped, [Some(Inactive), Some(Inactive), Some(InMaintenance), Some(InMaintenance), Some(Deregistered)]),
        (WATCH, [Some(Inactive), Some(Inactive), Some(Inactive), Some(InMaintenance), Some(Deregistered)]),
        (Event::Stopped, [Some(Inactive), Some(Inactive), Some(Inactive), Some(InMaintenance), Some(Deregistered)]),
        (Event::Replaced, [Some(Inactive), Some(Inactive), Some(Inactive), Some(InMaintenance), Some(Deregistered)]),
        (Event::Signed, [refused, Some(Active), Some(RequestMaintenance), refused, refused]),
        (Event::Reward, same),
        (Event::Deregister, [Some(Deregistered), Some(Deregistered), Some(Deregistered), Some(Deregistered), refused]),
    ];
    for (event, row) in table {
        for (before, wanted) in in_every_status().iter().zip(row) {
            let came = apply(before, event, now, &params());
            assert_eq!(came.as_ref().ok().map(|a| a.instance.status), wanted, "{event:?} in {}", before.status);
            if let Ok(applied) = came {
                let moved = applied.instance.status != before.status;
                assert_eq!(applied.reason.is_some(), moved, "a move has a reason: {event:?} in {}", before.status);
            }
        }
    }
}

#[test]
fn two_intervals_of_silence_are_in_time_and_a_moment_more_is_not() {
    let active = active();
    let missed = |ms| after(&active, WATCH, 10 * SECOND + ms).statistics.missed_heartbeats;
    assert_eq!([missed(2_000), missed(2_001), missed(4_000)], [0, 1, 1]);
    assert_eq!(after(&active, WATCH, 14 * SECOND).status, Status::Active);
    let silent = apply(&active, WATCH, 14 * SECOND + 1, &params()).unwrap();
    assert_eq!(silent.instance.status, Status::Inactive);
    assert_eq!(silent.instance.statistics.missed_heartbeats, 2);
    assert!(silent.reason.unwrap().contains("00:00:04"));
    assert!(!silent.instance.ready, "it has to say again that it is ready");
}

/// Else its requests would wait for nodes that are down, though another instance has nodes that are not.
#[test]
fn who_says_for_two_intervals_that_it_can_not_work_goes_if_another_one_can() {
    let mut down = after(&active(), Event::NotReady, 11 * SECOND);
    down = after(&down, Event::Heartbeat { sent_ms: 14 * SECOND }, 14 * SECOND);
    down = after(&down, Event::NotReady, 14 * SECOND);
    let (relieved, alone) = (Event::Watch { has_relief: true }, WATCH);
    assert_eq!(after(&down, relieved, 15 * SECOND).status, Status::Active, "two intervals to the moment");
    assert_eq!(after(&down, alone, 15 * SECOND + 1).status, Status::Active, "nobody gains by it");
    let gone = apply(&down, relieved, 15 * SECOND + 1, &params()).unwrap();
    assert_eq!(gone.instance.status, Status::Inactive);
    assert!(gone.reason.unwrap().contains("could not work"));
    let well = after(&down, Event::Ready, 15 * SECOND);
    assert_eq!(after(&well, relieved, 15 * SECOND + 1).status, Status::Active);
    let again = after(&well, Event::NotReady, 16 * SECOND);
    assert_eq!(again.unready_since_ms, Some(16 * SECOND), "counted anew");
}

#[test]
fn who_stops_in_order_goes_at_once_and_has_to_say_again_that_it_is_ready() {
    let applied = apply(&active(), Event::Stopped, 11 * SECOND, &params()).unwrap();
    assert_eq!((applied.instance.status, applied.instance.ready), (Status::Inactive, false));
    assert!(applied.reason.unwrap().contains("stopped"));
    let tick = Event::Tick { in_active_set: true };
    assert_eq!(after(&applied.instance, tick, 12 * SECOND).status, Status::Inactive);
}

#[test]
fn a_heartbeat_after_a_missed_one_forgives_it() {
    let once = after(&active(), WATCH, 13 * SECOND);
    assert_eq!((once.status, once.statistics.missed_heartbeats), (Status::Active, 1));
    let again = after(&once, Event::Heartbeat { sent_ms: 13 * SECOND }, 13 * SECOND);
    assert_eq!((again.status, again.statistics.missed_heartbeats), (Status::Active, 0));
    assert_eq!(after(&again, WATCH, 17 * SECOND).status, Status::Active);
}

#[test]
fn ticks_alone_keep_nobody_active() {
    let mut instance = active();
    for second in 11..=14 {
        instance = after(&instance, Event::Tick { in_active_set: true }, second * SECOND);
    }
    assert_eq!(after(&instance, WATCH, 14 * SECOND + 1).status, Status::Inactive);
}

#[test]
fn heartbeats_out_of_time_are_refused_with_the_reason() {
    let active = active();
    let sent = |sent_ms, now_ms| apply(&active, Event::Heartbeat { sent_ms }, now_ms, &params());
    assert_eq!(sent(10 * SECOND, 11 * SECOND), Err(Refusal::NotNewer));
    assert_eq!(sent(12 * SECOND, 13 * SECOND + 5), Err(Refusal::TooOld(5)));
    assert_eq!(sent(13 * SECOND + 7, 12 * SECOND), Err(Refusal::TooNew(7)));
    assert!(sent(12 * SECOND, 13 * SECOND).is_ok());
    assert!(sent(13 * SECOND, 12 * SECOND).is_ok());
    let mut down = active;
    down.statistics.last_down_ms = Some(12 * SECOND);
    let before = apply(&down, Event::Heartbeat { sent_ms: 12 * SECOND }, 12 * SECOND, &params());
    assert_eq!(before, Err(Refusal::BeforeLastDown));
}

#[test]
fn maintenance_counts_once_however_many_ticks_it_spans() {
    let mut instance = in_maintenance();
    assert_eq!(instance.statistics.last_down_ms, Some(15 * SECOND));
    for at in [20, 25] {
        instance = after(&instance, Event::Tick { in_active_set: true }, at * SECOND);
        assert_eq!(instance.statistics.total_downtime_ms, 0);
        assert_eq!(instance.current_interval_downtime_ms(at * SECOND), (at - 15) * SECOND);
    }
    let back = after(&instance, Event::Return { in_active_set: true }, 27 * SECOND);
    assert_eq!(back.current_interval_downtime_ms(29 * SECOND), 12 * SECOND, "it stands still once it is over");
    let ticked = after(&back, Event::Tick { in_active_set: true }, 30 * SECOND);
    assert_eq!(ticked.statistics.total_downtime_ms, 12 * SECOND);
    assert_eq!(ticked.current_interval_downtime_ms(30 * SECOND), 0);
    let later = after(&ticked, Event::Tick { in_active_set: true }, 35 * SECOND);
    assert_eq!(later.statistics.total_downtime_ms, 12 * SECOND);
    assert_eq!(super::super::hours_minutes_seconds(later.statistics.total_downtime_ms), "00:00:12");
}

#[test]
fn a_clock_that_goes_back_counts_nothing_below_nothing() {
    let instance = in_maintenance();
    assert_eq!(instance.current_interval_downtime_ms(0), 0);
    let back = after(&instance, Event::Return { in_active_set: false }, 0);
    assert_eq!(back.statistics.ended_downtime_ms, 0);
    assert_eq!(after(&active(), WATCH, 0).status, Status::Active);
}

#[test]
fn signed_transactions_are_counted_and_folded_by_the_reward_run() {
    let mut instance = active();
    for _ in 0..3 {
        instance = after(&instance, Event::Signed, 11 * SECOND);
    }
    assert_eq!(instance.statistics.txs_signed, 3);
    let paid = after(&instance, Event::Reward, 12 * SECOND);
    assert_eq!((paid.statistics.txs_signed, paid.statistics.total_txs_signed), (0, 3));
    let again = after(&after(&paid, Event::Signed, 13 * SECOND), Event::Reward, 14 * SECOND);
    assert_eq!(again.statistics.total_txs_signed, 4);
}

#[test]
fn time_in_the_active_set_is_counted_from_tick_to_tick() {
    let first = after(&active(), Event::Tick { in_active_set: true }, 15 * SECOND);
    assert_eq!(first.statistics.total_voted_ms, 5 * SECOND);
    let second = after(&first, Event::Tick { in_active_set: false }, 20 * SECOND);
    assert_eq!((second.status, second.statistics.total_voted_ms), (Status::Inactive, 10 * SECOND));
    let third = after(&second, Event::Tick { in_active_set: false }, 25 * SECOND);
    assert_eq!(third.statistics.total_voted_ms, 10 * SECOND);
}

#[test]
fn names_are_those_of_the_specification_and_come_back() {
    let names: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
    assert_eq!(names, ["inactive", "active", "request_maintenance", "in_maintenance", "deregistered"]);
    for status in Status::ALL {
        assert_eq!(status.as_str().parse(), Ok(status));
    }
    assert!("Active".parse::<Status>().is_err());
    assert_eq!(super::super::hours_minutes_seconds(100 * 3_600_000 + 61_999), "100:01:01");
}

#[test]
fn parameters_that_cannot_work_are_named() {
    assert_eq!(Params::default().check(), Ok(()));
    for heartbeat_frequency_ms in [0, 1_999] {
        let unfit = Params { heartbeat_frequency_ms, ..Params::default() }.check().unwrap_err();
        assert_eq!(unfit.name, "son_heartbeat_frequency_ms");
    }
    assert_eq!(Params { heartbeat_frequency_ms: 2_000, ..Params::default() }.check(), Ok(()));
    assert_eq!(Params { maximum_active: 0, ..Params::default() }.check().unwrap_err().name, "maximum_active");
}
