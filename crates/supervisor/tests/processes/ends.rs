//! Every way in which a child can end or be ended.

use std::time::Duration;

use facilitator_supervisor::{Cause, Exit, Stop, StreamEnd, WatchOptions};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bed::{Subject, is_alive, options, stat_of, zombies};
use crate::roles::{Answer, Command, own_files};

crate::cases![
    exit_codes_and_signals_are_told_and_last_words_arrive,
    a_child_killed_from_outside_is_noticed_at_once,
    sigterm_lets_it_finish,
    a_child_deaf_to_sigterm_is_killed_at_the_deadline,
    a_stopped_child_is_killed_at_the_deadline,
    an_awaited_end_that_does_not_come_is_forced,
    a_later_order_replaces_an_earlier_one,
    a_dropped_handle_ends_the_child,
    dropped_events_end_the_child,
    a_thousand_deaths_leave_no_zombie_and_no_open_file,
    a_program_that_cannot_run_is_told,
    children_come_from_the_main_thread_only,
];

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);

async fn exit_codes_and_signals_are_told_and_last_words_arrive() {
    for (command, exit, words) in [
        (Command::Exit(0), Exit::Code(0), 1),
        (Command::Exit(7), Exit::Code(7), 1),
        (Command::Raise(6), Exit::Signal(6), 0),
        (Command::Raise(9), Exit::Signal(9), 0),
    ] {
        let mut child = Subject::ready("raw").await;
        child.handle.send(&command).unwrap();
        for _ in 0..words {
            assert_eq!(child.answer().await, Answer::Text("last words".into()));
        }
        let end = child.end().await;
        assert_eq!((end.exit, end.stream), (exit, StreamEnd::Clean), "{command:?}");
        assert!(matches!(end.cause, Cause::Itself), "{command:?}: {end}");
    }
}

async fn a_child_killed_from_outside_is_noticed_at_once() {
    let mut child = Subject::ready("obedient").await;
    let pid = child.handle.pid;
    let started = std::time::Instant::now();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    let end = child.end().await;
    assert_eq!((end.exit, end.pid, end.stream), (Exit::Signal(9), pid, StreamEnd::Clean));
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert!(child.handle.send(&Command::Facts).is_err());
}

async fn sigterm_lets_it_finish() {
    let mut child = Subject::ready("obedient").await;
    child.handle.stop(Stop::Terminate, LONG);
    assert_eq!(child.answer().await, Answer::Text("told to end".into()));
    let end = child.end().await;
    assert_eq!(end.exit, Exit::Code(0));
    assert!(matches!(end.cause, Cause::Stopped), "{end}");
}

async fn a_child_deaf_to_sigterm_is_killed_at_the_deadline() {
    let mut child = Subject::ready("deaf to SIGTERM").await;
    child.handle.stop(Stop::Terminate, SHORT);
    let end = child.end().await;
    assert_eq!(end.exit, Exit::Signal(9));
    assert!(matches!(end.cause, Cause::Stopped), "{end}");
    assert!(end.lived >= SHORT);
}

async fn a_stopped_child_is_killed_at_the_deadline() {
    let mut child = Subject::ready("raw").await;
    child.handle.send(&Command::Raise(Signal::SIGSTOP as i32)).unwrap();
    while stat_of(child.handle.pid).unwrap()[0] != "T" {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    child.handle.stop(Stop::Terminate, SHORT);
    assert_eq!(child.end().await.exit, Exit::Signal(9), "a stopped process takes no SIGTERM");
}

async fn an_awaited_end_that_does_not_come_is_forced() {
    let mut child = Subject::ready("raw").await;
    child.handle.send(&Command::Hang).unwrap();
    child.handle.stop(Stop::Await, SHORT);
    assert_eq!(child.end().await.exit, Exit::Signal(9));
}

async fn a_later_order_replaces_an_earlier_one() {
    let mut child = Subject::ready("deaf to SIGTERM").await;
    child.handle.stop(Stop::Terminate, LONG);
    assert_eq!(child.ask(Command::Echo("still here".into())).await, Answer::Text("still here".into()));
    child.handle.stop(Stop::Await, Duration::ZERO);
    assert_eq!(child.end().await.exit, Exit::Signal(9));
}

async fn a_dropped_handle_ends_the_child() {
    for (role, exit) in [("obedient", Exit::Code(0)), ("raw", Exit::Signal(9))] {
        let child = Subject::ready(role).await;
        if role == "raw" {
            child.handle.send(&Command::Hang).unwrap();
        }
        let pid = child.handle.pid;
        let mut events = child.events;
        drop(child.handle);
        match events.recv().await.unwrap() {
            facilitator_supervisor::Event::Ended { end, .. } => {
                assert_eq!(end.exit, exit);
                assert!(matches!(end.cause, Cause::Dropped), "{end}");
            }
            other => panic!("{other:?}"),
        }
        assert!(!is_alive(pid));
    }
}

async fn dropped_events_end_the_child() {
    let mut child = Subject::ready("raw").await;
    child.handle.send(&Command::Flood).unwrap();
    child.answer().await;
    drop(child.events);
    crate::bed::gone(child.handle.pid, Duration::from_secs(2)).await;
}

async fn a_thousand_deaths_leave_no_zombie_and_no_open_file() {
    let before = own_files().len();
    for _ in 0..20 {
        let mut children: Vec<_> = (0..50).map(|_| Subject::start("obedient")).collect();
        for (number, child) in children.iter_mut().enumerate() {
            // Some when they wait for us, the others before they could speak.
            if number % 3 == 0 {
                child.expect_ready().await;
            }
            child.handle.stop(if number % 3 == 1 { Stop::Terminate } else { Stop::Await }, Duration::ZERO);
        }
        for child in &mut children {
            let exit = child.any_end().await.exit;
            assert!(matches!(exit, Exit::Signal(9 | 15) | Exit::Code(0)), "{exit}");
        }
    }
    assert_eq!(zombies(), 0);
    assert_eq!(own_files().len(), before, "descriptors are left open");
}

async fn a_program_that_cannot_run_is_told() {
    let missing = facilitator_supervisor::Spawner::new("/nonexistent/facilitator".into(), &[], []);
    let text = missing.spawn("raw", None).unwrap_err().to_string();
    assert!(text.starts_with("cannot execute /nonexistent/facilitator: No such file"), "{text}");
}

async fn children_come_from_the_main_thread_only() {
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::spawn(move || {
        let _in_runtime = runtime.enter();
        crate::bed::spawner().spawn("mute", None).map(|spawned| spawned.process.id())
    });
    let refused = thread.join().unwrap();
    assert!(matches!(refused, Err(facilitator_supervisor::SpawnError::NotMainThread)), "{refused:?}");
    let defaults: WatchOptions = options();
    assert!(defaults.silence.is_none());
}
