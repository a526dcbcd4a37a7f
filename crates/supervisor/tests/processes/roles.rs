//! What the children do: one obedient role on the real link, and one that writes raw bytes to break every rule.

use std::io::{Read, Write};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use bincode::{Decode, Encode};
use facilitator_ipc::{ChildLink, Decoder, Hello, MAX_FRAME, WriterOptions, encode};
use facilitator_supervisor::child::{self, ChildOptions, EnterError, RoleRequest};
use facilitator_supervisor::limits::Memory;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{Signal, raise};
use nix::unistd::getpgrp;
use tokio::signal::unix::{SignalKind, signal};

use crate::bed;

pub(crate) const VERSION: u32 = 5;

/// Exit code of a child that found its parent gone.
pub(crate) const PARENT_GONE: u8 = 91;

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) enum Command {
    Echo(String),
    Print,
    Facts,
    Exit(i32),
    Raise(i32),
    Tear(u32),
    Garbage,
    Oversize,
    ClosePipe,
    LeavePipeToAnother,
    Flood,
    FloodOfBeats,
    Hang,
    StartGrandchild,
    Beat(u64),
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) enum Answer {
    Text(String),
    Pid(u32),
    Facts { environment: Vec<String>, pipes: Vec<String>, files: Vec<String>, arguments: Vec<String>, name: String },
    Limits { process_group: i32, core: u64, files: u64, dumpable: u8 },
}

pub(crate) fn play(request: &RoleRequest) -> ExitCode {
    let memory = if request.role == "keys" { Memory::HoldsKeys } else { Memory::Ordinary };
    let limits = ChildOptions { memory, address_space: Some(1 << 30), open_files: Some(64) };
    match child::enter(request, &limits) {
        Ok(()) => {}
        Err(EnterError::ParentGone { .. }) => return ExitCode::from(PARENT_GONE),
        Err(error @ EnterError::Limit(_)) => panic!("{error}"),
    }
    match request.role.as_str() {
        "obedient" | "keys" | "deaf to SIGTERM" => bed::block_on(obey(request.role.clone())),
        "raw" => raw(Hello::own("raw").frame(VERSION).unwrap().as_bytes()),
        "mute" => hang(),
        "stdout" => raw(b"this is no frame, but a line of text\n"),
        "other version" => raw(Hello::own("other version").frame(VERSION + 1).unwrap().as_bytes()),
        "exit 0" => {}
        other => panic!("no role {other}"),
    }
    ExitCode::SUCCESS
}

/// Serves commands until end of file or, after telling so, SIGTERM.
async fn obey(role: String) {
    let link = ChildLink::<Answer, Command>::from_stdio(VERSION, &role, WriterOptions::default()).unwrap();
    let mut receiver = link.receiver;
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let mut kept = Vec::new();
    loop {
        tokio::select! {
            command = receiver.next() => match command.unwrap() {
                None => break,
                Some(Command::Beat(every)) => {
                    let sender = link.sender.clone();
                    tokio::spawn(async move {
                        while sender.beat().is_ok() {
                            tokio::time::sleep(Duration::from_millis(every)).await;
                        }
                    });
                }
                Some(command) => for answer in answers(command, &mut kept) { link.sender.send(&answer).await.unwrap(); }
            },
            _ = terminate.recv() => if role != "deaf to SIGTERM" {
                link.sender.send(&Answer::Text("told to end".into())).await.unwrap();
                break;
            },
        }
    }
    link.writer.finish().await.unwrap();
}

fn answers(command: Command, kept: &mut Vec<facilitator_supervisor::Spawned>) -> Vec<Answer> {
    match command {
        Command::Echo(text) => vec![Answer::Text(text)],
        Command::Print => {
            println!("a stray line of some library");
            vec![Answer::Text("printed".into())]
        }
        Command::Facts => vec![facts(), limits()],
        Command::StartGrandchild => {
            let grandchild = bed::spawner().spawn("mute", None).unwrap();
            let pid = grandchild.process.id().unwrap();
            kept.push(grandchild);
            vec![Answer::Pid(pid)]
        }
        other => panic!("{other:?} is not for me"),
    }
}

/// Names of the pipes that this process has open.
pub(crate) fn own_pipes() -> Vec<String> {
    own_files().into_iter().filter(|name| name.starts_with("pipe:")).collect()
}

/// Names of everything that this process has open.
pub(crate) fn own_files() -> Vec<String> {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    targets.map(|target| target.to_str().unwrap().to_owned()).collect()
}

fn facts() -> Answer {
    Answer::Facts {
        environment: std::env::vars().map(|(name, _)| name).collect(),
        pipes: own_pipes(),
        files: own_files(),
        arguments: std::env::args().collect(),
        name: prctl::get_name().unwrap().into_string().unwrap(),
    }
}

fn limits() -> Answer {
    Answer::Limits {
        process_group: getpgrp().as_raw(),
        core: getrlimit(Resource::RLIMIT_CORE).unwrap().1,
        files: getrlimit(Resource::RLIMIT_NOFILE).unwrap().1,
        dumpable: u8::from(prctl::get_dumpable().unwrap()),
    }
}

/// Writes `first`, then carries out commands with blocking reads and writes and no manners.
fn raw(first: &[u8]) {
    write(first);
    let mut decoder = Decoder::new();
    let mut chunk = [0; 4096];
    loop {
        while let Some(command) = decoder.decode::<Command>().unwrap() {
            misbehave(command);
        }
        match std::io::stdin().read(&mut chunk).unwrap() {
            0 => return,
            count => decoder.push(&chunk[..count]),
        }
    }
}

fn misbehave(command: Command) {
    let frame = |text: &str| encode(&Answer::Text(text.into())).unwrap().as_bytes().to_vec();
    match command {
        Command::Echo(text) => write(&frame(&text)),
        Command::Exit(code) => {
            write(&frame("last words"));
            std::process::exit(code);
        }
        Command::Raise(number) => {
            raise(Signal::try_from(number).unwrap()).unwrap();
        }
        Command::Tear(bytes) => {
            write(&frame("torn")[..bytes as usize]);
            raise(Signal::SIGKILL).unwrap();
        }
        Command::Garbage => write(&[3, 0, 0, 0, 0xee, 0xee, 0xee]),
        Command::Oversize => write(&u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes()),
        Command::ClosePipe => nix::unistd::dup2_stdout(std::io::stderr()).unwrap(),
        Command::LeavePipeToAnother => {
            let mut sleep = std::process::Command::new("/bin/sleep");
            sleep.arg("3").stdin(Stdio::null()).stdout(Stdio::inherit()).spawn().unwrap();
            std::process::exit(0);
        }
        Command::Flood => loop {
            write(&frame("and another").repeat(1000));
        },
        // A frame without a body is a heartbeat.
        Command::FloodOfBeats => loop {
            write(&[0; 16 << 10]);
        },
        Command::Hang => hang(),
        other => panic!("{other:?} is not for me"),
    }
}

fn write(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        // The parent is gone: nothing is left to do.
        std::process::exit(0);
    }
}

fn hang() {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}
