//! What a child inherits, what it is kept from, and that it never outlives its parent.

use std::time::Duration;

use facilitator_supervisor::limits::keep_descriptors;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bed::{Subject, gone, is_alive, stat_of};
use crate::roles::{Answer, Command, PARENT_GONE, own_pipes};

crate::cases![
    a_child_inherits_its_pipes_and_the_allowed_environment_alone,
    what_the_parent_was_started_with_stays_with_it,
    a_child_has_its_own_process_group_and_limits,
    a_grandchild_dies_with_its_parent,
    a_child_of_a_dead_parent_does_not_begin,
];

async fn a_child_inherits_its_pipes_and_the_allowed_environment_alone() {
    let before = own_pipes();
    let _others = [Subject::ready("raw").await, Subject::ready("raw").await];
    // Both ends of a pipe have one name, so the pipes to the others are known from this side.
    let pipes_of_others: Vec<_> = own_pipes().into_iter().filter(|pipe| !before.contains(pipe)).collect();
    assert_eq!(pipes_of_others.len(), 4);
    let mut child = Subject::ready("obedient").await;
    let Answer::Facts { environment, pipes, arguments, name, .. } = child.ask(Command::Facts).await else {
        panic!("no facts");
    };
    assert!(pipes.iter().all(|pipe| !pipes_of_others.contains(pipe)), "{pipes:?} has some of {pipes_of_others:?}");
    assert!(environment.iter().all(|name| name == "FAC_TEST_ALLOWED"), "{environment:?}");
    let parent = std::process::id().to_string();
    assert_eq!(arguments, ["facilitator", "__role", "obedient", &parent, "label"]);
    assert_eq!(name, "fac-obedient");
}

/// As if a shell had left a file open for whatever it starts: without close-on-exec.
fn open_for_all() -> std::fs::File {
    let file = std::fs::File::open("/proc/version").unwrap();
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    file
}

async fn what_the_parent_was_started_with_stays_with_it() {
    let _left_open = open_for_all();
    for (kept, inherited) in [(false, 1), (true, 0)] {
        if kept {
            keep_descriptors().unwrap();
        }
        let mut child = Subject::ready("obedient").await;
        let Answer::Facts { files, .. } = child.ask(Command::Facts).await else { panic!("no facts") };
        let found = files.iter().filter(|file| *file == "/proc/version").count();
        assert_eq!(found, inherited, "kept: {kept}, {files:?}");
    }
}

async fn a_child_has_its_own_process_group_and_limits() {
    for (role, cores_allowed) in [("obedient", true), ("keys", false)] {
        let mut child = Subject::ready(role).await;
        child.ask(Command::Facts).await;
        let Answer::Limits { process_group, core, files, dumpable } = child.answer().await else {
            panic!("no limits");
        };
        assert_eq!(process_group.to_string(), child.handle.pid.to_string());
        assert_eq!(stat_of(child.handle.pid).unwrap()[2], process_group.to_string());
        assert_eq!(files, 64);
        assert_eq!((core > 0, dumpable == 1), (cores_allowed && core > 0, cores_allowed), "{role}");
    }
}

async fn a_grandchild_dies_with_its_parent() {
    let mut child = Subject::ready("obedient").await;
    let Answer::Pid(grandchild) = child.ask(Command::StartGrandchild).await else { panic!("no grandchild") };
    assert!(is_alive(grandchild));
    // It is asleep and reads nothing, so only the death signal reaches it; give it the time to arm that.
    while std::fs::read_to_string(format!("/proc/{grandchild}/comm")).unwrap() != "fac-mute\n" {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    kill(Pid::from_raw(i32::try_from(child.handle.pid).unwrap()), Signal::SIGKILL).unwrap();
    gone(grandchild, Duration::from_secs(1)).await;
    child.end().await;
}

async fn a_child_of_a_dead_parent_does_not_begin() {
    let own = std::env::current_exe().unwrap();
    let not_the_parent = "1";
    let status = std::process::Command::new(own).args(["__role", "mute", not_the_parent]).status().unwrap();
    assert_eq!(status.code(), Some(i32::from(PARENT_GONE)));
}
