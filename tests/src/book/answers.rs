//! Answers to the questions that `systemd-ask-password` asks in a machine, given as systemd's own agents give them: a file
//! for each question names the socket at which it is answered.

use crate::machine::Machine;
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// Where a machine's questions are.
const QUESTIONS: &str = "/run/systemd/ask-password";

/// Does `work`, and answers what is asked meanwhile with the next of the answers. A question for which there is none is
/// cancelled.
///
/// # Errors
/// When a question can't be answered.
pub(super) fn during<T>(machine: &Machine, answers: &mut VecDeque<String>, work: impl FnOnce() -> T) -> Result<T> {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let answering = scope.spawn(|| give(machine, answers, &ended));
        let done = work();
        ended.store(true, Ordering::Release);
        answering.join().map_err(|_| anyhow::anyhow!("whoever answers has panicked"))??;
        Ok(done)
    })
}

fn give(machine: &Machine, answers: &mut VecDeque<String>, ended: &AtomicBool) -> Result<()> {
    let mut answered = BTreeSet::new();
    while !ended.load(Ordering::Acquire) {
        for question in questions(machine) {
            // Between the answer and the end of whoever asked, the file is still there.
            if answered.insert(question.clone()) {
                answer(machine, &question, answers.pop_front().as_deref())?;
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The files of what is asked now.
fn questions(machine: &Machine) -> Vec<PathBuf> {
    let all = fs::read_dir(machine.file(Path::new(QUESTIONS))).into_iter().flatten().flatten();
    all.filter(|file| file.file_name().to_string_lossy().starts_with("ask.")).map(|file| file.path()).collect()
}

/// Answers a question, or cancels it.
fn answer(machine: &Machine, question: &Path, with: Option<&str>) -> Result<()> {
    let text = fs::read_to_string(question).context("a question can't be read")?;
    let socket = text.lines().find_map(|line| line.strip_prefix("Socket=")).context("a question without a socket")?;
    let mut reply = machine.command(Path::new("/"));
    reply.args(["/lib/systemd/systemd-reply-password", if with.is_some() { "1" } else { "0" }, socket]);
    let mut reply = reply.stdin(Stdio::piped()).spawn()?;
    reply.stdin.take().context("no input")?.write_all(with.unwrap_or_default().as_bytes())?;
    let status = reply.wait()?;
    ensure!(status.success(), "systemd-reply-password: {status}");
    ensure!(with.is_some(), "no answer to a question:\n{text}");
    Ok(())
}
