//! Children that break the protocol, are silent, or hang: each is ended, with its own cause.

use std::time::Duration;

use facilitator_ipc::{IpcError, WriterOptions};
use facilitator_supervisor::{Cause, Event, Exit, Stop, StreamEnd, WatchOptions, watch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::mpsc;

use crate::bed::{Subject, options, spawner};
use crate::roles::{Answer, Command};

crate::cases![
    messages_go_both_ways_also_before_ready,
    a_frame_torn_at_any_byte_is_no_message,
    wrong_beginnings,
    broken_frames,
    a_child_that_never_says_hello_is_ended,
    a_silent_child_is_ended,
    heartbeats_keep_a_child_that_has_nothing_to_say,
    a_parent_that_was_stopped_does_not_blame_its_children,
    children_that_were_stopped_with_their_parent_have_time_to_wake,
    more_idle_children_than_places_for_events_starve_nobody,
    a_slow_receiver_is_not_the_childs_silence,
    a_child_that_never_reads_is_ended,
    a_child_that_closes_its_pipe_and_lives_on_is_ended,
    a_pipe_held_open_by_another_does_not_delay_the_end,
    a_flood_is_held_back_and_orders_get_through,
    a_flood_of_heartbeats_leaves_others_their_turn_and_orders_get_through,
];

const SHORT: Duration = Duration::from_millis(150);

async fn messages_go_both_ways_also_before_ready() {
    let mut child = Subject::start("obedient");
    child.handle.send(&Command::Echo("early".into())).unwrap();
    child.expect_ready().await;
    assert_eq!(child.answer().await, Answer::Text("early".into()));
    for n in 0..200 {
        assert_eq!(child.ask(Command::Echo(n.to_string())).await, Answer::Text(n.to_string()));
    }
    let large = "x".repeat(3 << 20);
    assert_eq!(child.ask(Command::Echo(large.clone())).await, Answer::Text(large));
    assert_eq!(child.ask(Command::Print).await, Answer::Text("printed".into()), "a stray print harms no frame");
}

async fn a_frame_torn_at_any_byte_is_no_message() {
    let whole = u32::try_from(facilitator_ipc::encode(&Answer::Text("torn".into())).unwrap().as_bytes().len()).unwrap();
    for bytes in 0..=whole {
        let mut child = Subject::ready("raw").await;
        child.handle.send(&Command::Tear(bytes)).unwrap();
        if bytes == whole {
            assert_eq!(child.answer().await, Answer::Text("torn".into()));
        }
        let next = child.events.recv().await.unwrap();
        let Event::Ended { end, .. } = next else { panic!("{bytes} bytes: {next:?}") };
        let stream = if bytes == 0 || bytes == whole { StreamEnd::Clean } else { StreamEnd::Torn };
        assert_eq!((end.exit, end.stream), (Exit::Signal(9), stream), "{bytes} bytes");
        assert!(matches!(end.cause, Cause::Itself));
    }
}

async fn wrong_beginnings() {
    let end = Subject::start("stdout").end().await;
    assert!(matches!(end.cause, Cause::Protocol(IpcError::NotHello)), "{end}");
    let end = Subject::start("other version").end().await;
    assert!(matches!(end.cause, Cause::Protocol(IpcError::Version { ours: 5, theirs: 6 })), "{end}");
    let end = Subject::start("exit 0").end().await;
    assert!(matches!(end.cause, Cause::Itself), "{end}");
    assert_eq!((end.exit, end.stream), (Exit::Code(0), StreamEnd::Clean));
}

async fn broken_frames() {
    for command in [Command::Garbage, Command::Oversize] {
        let mut child = Subject::ready("raw").await;
        child.handle.send(&command).unwrap();
        let end = child.end().await;
        assert_eq!((end.exit, end.stream), (Exit::Signal(9), StreamEnd::Broken), "{command:?}");
        match (command, end.cause) {
            (Command::Garbage, Cause::Protocol(IpcError::Garbage { .. })) => {}
            (_, Cause::Protocol(IpcError::Oversize { .. })) => {}
            (command, cause) => panic!("{command:?}: {cause}"),
        }
    }
}

async fn a_child_that_never_says_hello_is_ended() {
    let end = Subject::with("mute", WatchOptions { hello_within: SHORT, ..options() }).end().await;
    assert!(matches!(end.cause, Cause::NoHello), "{end}");
    assert_eq!(end.exit, Exit::Signal(9));
}

async fn a_silent_child_is_ended() {
    for command in [Command::Hang, Command::Raise(nix::sys::signal::Signal::SIGSTOP as i32)] {
        let mut child = Subject::with("raw", WatchOptions { silence: Some(SHORT), ..options() });
        child.handle.send(&command).unwrap();
        child.expect_ready().await;
        let end = child.end().await;
        assert!(matches!(end.cause, Cause::Silent), "{command:?}: {end}");
        assert_eq!(end.exit, Exit::Signal(9));
    }
}

async fn heartbeats_keep_a_child_that_has_nothing_to_say() {
    let silence = Duration::from_millis(800);
    let mut child = Subject::with("obedient", WatchOptions { silence: Some(silence), ..options() });
    child.handle.send(&Command::Beat(100)).unwrap();
    child.expect_ready().await;
    let more = tokio::time::timeout(3 * silence, child.events.recv()).await;
    assert!(more.is_err(), "{more:?}: a heartbeat is no message, and no silence");
    kill(pid_of(&child), Signal::SIGSTOP).unwrap();
    let end = child.end().await;
    assert!(matches!(end.cause, Cause::Silent), "{end}");
}

/// Stops the processes, and lets them go on one after the other.
fn stop_for_a_while(pids: &[Pid]) -> std::process::Child {
    let pids = pids.iter().map(Pid::to_string).collect::<Vec<_>>().join(" ");
    let script = format!("kill -STOP {pids}; sleep 2; for pid in {pids}; do kill -CONT $pid; sleep 0.1; done");
    std::process::Command::new("/bin/sh").args(["-c", &script]).spawn().unwrap()
}

fn pid_of(child: &Subject) -> Pid {
    Pid::from_raw(i32::try_from(child.handle.pid).unwrap())
}

/// The parent's pause is more than its children's silence. Several times over, as its timer and its pipes may come in
/// any order when it wakes.
async fn a_parent_that_was_stopped_does_not_blame_its_children() {
    let silence = Duration::from_millis(800);
    let mut child = Subject::with("obedient", WatchOptions { silence: Some(silence), ..options() });
    child.handle.send(&Command::Beat(50)).unwrap();
    child.expect_ready().await;
    for round in 0..3 {
        let mut stopping = stop_for_a_while(&[Pid::this()]);
        let more = tokio::time::timeout(Duration::from_millis(2_800), child.events.recv()).await;
        assert!(more.is_err(), "round {round}: {more:?}");
        stopping.wait().unwrap();
    }
    assert_eq!(child.ask(Command::Echo("well".into())).await, Answer::Text("well".into()));
}

async fn children_that_were_stopped_with_their_parent_have_time_to_wake() {
    let silence = Duration::from_millis(800);
    let mut child = Subject::with("obedient", WatchOptions { silence: Some(silence), ..options() });
    child.handle.send(&Command::Beat(50)).unwrap();
    child.expect_ready().await;
    let mut stopping = stop_for_a_while(&[Pid::this(), pid_of(&child)]);
    let more = tokio::time::timeout(Duration::from_millis(3_000), child.events.recv()).await;
    assert!(more.is_err(), "{more:?}");
    stopping.wait().unwrap();
    assert_eq!(child.ask(Command::Echo("well".into())).await, Answer::Text("well".into()));
}

async fn more_idle_children_than_places_for_events_starve_nobody() {
    let (sender, mut events) = mpsc::channel(1);
    let children: Vec<_> = (0..8_u32)
        .map(|key| watch(spawner().spawn("obedient", None).unwrap(), "obedient", key, sender.clone(), options()))
        .collect();
    let mut ready = 0;
    while ready < children.len() {
        assert!(matches!(events.recv().await.unwrap(), Event::<u32, Answer>::Ready { .. }));
        ready += 1;
    }
    for (key, child) in (0_u32..).zip(&children) {
        child.send(&Command::Echo(key.to_string())).unwrap();
        match events.recv().await.unwrap() {
            Event::Message { key: from, message } => {
                assert_eq!((from, message), (key, Answer::Text(key.to_string())));
            }
            other => panic!("{other:?}"),
        }
    }
    for (key, child) in (0_u32..).zip(&children) {
        child.stop(Stop::Await, Duration::ZERO);
        assert!(matches!(events.recv().await.unwrap(), Event::Ended { key: from, .. } if from == key));
    }
}

async fn a_slow_receiver_is_not_the_childs_silence() {
    let silence = Duration::from_millis(400);
    let mut child = Subject::with("raw", WatchOptions { silence: Some(silence), ..options() });
    child.expect_ready().await;
    for n in 0..8 {
        child.handle.send(&Command::Echo(n.to_string())).unwrap();
    }
    // Its messages fill the channel of events; they are taken only after more than the silence allowed.
    tokio::time::sleep(2 * silence).await;
    for n in 0..8 {
        assert_eq!(child.answer().await, Answer::Text(n.to_string()));
    }
}

async fn a_child_that_never_reads_is_ended() {
    let writer = WriterOptions { frames: 16, stall: Some(SHORT) };
    let mut child = Subject::with("raw", WatchOptions { writer, ..options() });
    child.expect_ready().await;
    child.handle.send(&Command::Hang).unwrap();
    let large = Command::Echo("x".repeat(200 << 10));
    let refused = (0..100).find_map(|_| child.handle.send(&large).err()).unwrap();
    assert!(matches!(refused, IpcError::Full), "{refused}");
    let end = child.end().await;
    assert!(matches!(end.cause, Cause::Protocol(IpcError::Stalled { .. })), "{end}");
}

async fn a_child_that_closes_its_pipe_and_lives_on_is_ended() {
    let mut child = Subject::ready("raw").await;
    child.handle.send(&Command::ClosePipe).unwrap();
    let end = child.end().await;
    assert!(matches!(end.cause, Cause::ClosedPipe), "{end}");
    assert_eq!(end.exit, Exit::Signal(9));
}

async fn a_pipe_held_open_by_another_does_not_delay_the_end() {
    let mut child = Subject::ready("raw").await;
    child.handle.send(&Command::LeavePipeToAnother).unwrap();
    let started = std::time::Instant::now();
    let end = child.end().await;
    assert_eq!((end.exit, end.stream), (Exit::Code(0), StreamEnd::HeldOpen));
    assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
}

async fn a_flood_is_held_back_and_orders_get_through() {
    let mut child = Subject::ready("raw").await;
    child.handle.send(&Command::Flood).unwrap();
    for _ in 0..5000 {
        child.answer().await;
    }
    child.handle.stop(Stop::Await, Duration::ZERO);
    let mut more = 0;
    loop {
        match child.events.recv().await.unwrap() {
            Event::Message { .. } => more += 1,
            Event::Ended { end, .. } => break assert!(matches!(end.cause, Cause::Stopped), "{end}"),
            other => panic!("{other:?}"),
        }
    }
    // What the pipe (64 KiB) and the channel hold, and not what a queue without limit would.
    assert!(more < 64 << 10, "{more} messages waited");
}

async fn a_flood_of_heartbeats_leaves_others_their_turn_and_orders_get_through() {
    let mut flooding = Subject::ready("raw").await;
    flooding.handle.send(&Command::FloodOfBeats).unwrap();
    let mut other = Subject::ready("obedient").await;
    let before = resident_kib();
    for n in 0..500 {
        assert_eq!(other.ask(Command::Echo(n.to_string())).await, Answer::Text(n.to_string()));
    }
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more: heartbeats are kept");
    let silent = tokio::time::timeout(SHORT, flooding.events.recv()).await;
    assert!(silent.is_err(), "{silent:?}: a heartbeat is no message");
    flooding.handle.stop(Stop::Await, Duration::ZERO);
    let end = flooding.end().await;
    assert!(matches!(end.cause, Cause::Stopped), "{end}");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
