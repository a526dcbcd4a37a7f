//! A terminal at which a person types a command of the book, and the passwords that it asks for.

use crate::machine::Shell;
use anyhow::{Context as _, Result, ensure};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    pty::{Winsize, openpty},
    unistd::ttyname,
};
use std::{
    collections::VecDeque,
    fs::File,
    io::{ErrorKind, Read as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// How wide and how high it is.
const SIZE: Winsize = Winsize { ws_row: 50, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
/// How long a person takes to answer. The terminal shows what is typed until a program that has asked forbids it, a
/// moment after its question.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a person looks at a screen on which nothing happens.
const LOOK: Duration = Duration::from_millis(20);
/// What a person types who has no answer.
const INTERRUPT: &[u8] = b"\x03";

/// Runs a command, with what the shell exports and in its folder, on a terminal of its own, and types the next answer
/// whenever it asks: its exit code, and the lines that the terminal shows.
///
/// # Errors
/// When there is no terminal, or no answer to a question.
pub(super) fn run(shell: &mut Shell, command: &str, answers: &mut VecDeque<String>) -> Result<(i32, Vec<String>)> {
    let ends = openpty(Some(&SIZE), None)?;
    fcntl(&ends.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let name = ttyname(&ends.slave)?;
    let quoted = command.replace('\'', r"'\''");
    let typed = format!("setsid --ctty --wait bash -c '{quoted}' <>{} >&0 2>&0", name.display());
    let left = AtomicBool::new(false);
    thread::scope(|scope| {
        let person = scope.spawn(|| sit(File::from(ends.master), answers, &left));
        let ended = shell.run(&typed);
        // Also from a command that went on for too long, and holds the other end still.
        left.store(true, Ordering::Release);
        let shown = person.join().map_err(|_| anyhow::anyhow!("whoever sits at the terminal has panicked"))??;
        let (code, said) = ended?;
        ensure!(said.is_empty(), "{}", said.join("\n"));
        Ok((code, shown.lines().map(str::to_owned).collect()))
    })
}

/// Reads what the terminal shows, until there is nothing more once it was left, and answers.
fn sit(mut screen: File, answers: &mut VecDeque<String>, left: &AtomicBool) -> Result<String> {
    let (mut shown, mut piece, mut asked) = (Vec::new(), [0; 4096], None);
    loop {
        // Before the screen: what was shown by then is seen.
        let is_last = left.load(Ordering::Acquire);
        match screen.read(&mut piece) {
            Ok(length @ 1..) => shown.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock && !is_last => {
                thread::sleep(LOOK);
                continue;
            }
            Ok(_) | Err(_) => break,
        }
        let text = String::from_utf8_lossy(&shown);
        if !text.ends_with(": ") {
            continue;
        }
        thread::sleep(PAUSE);
        match answers.pop_front() {
            Some(answer) => screen.write_all(format!("{answer}\n").as_bytes())?,
            None => {
                asked = Some(text.lines().last().unwrap_or_default().to_owned());
                screen.write_all(INTERRUPT)?;
            }
        }
    }
    match asked {
        Some(question) => None.with_context(|| format!("no answer to `{question}`")),
        None => Ok(String::from_utf8_lossy(&shown).into_owned()),
    }
}
