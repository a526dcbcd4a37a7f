//! Carries out a page in a machine of its own.

use super::{Names, Page, Step, answers, cargo, terminal};
use crate::{
    machine::{Machine, PATH, Shell},
    operator, skipped,
};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;
use std::{
    collections::VecDeque,
    env, fs,
    path::{Path, PathBuf},
};

/// How a command ends that finds that this machine can't show something.
const NOT_HERE: i32 = 77;

/// In what `start` says when it takes longer than usual, as on a machine that runs other tests too; no page shows it.
const SLOW: &str = ": not ready yet; `facilitator status";

/// Where the repository is, in whose folder every page begins.
fn repository() -> Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?)
}

/// A reader who does what the book says.
struct Reader {
    machine: Machine,
    shell: Shell,
    names: Names,
    /// What it answers next to a question.
    answers: VecDeque<String>,
    sources: PathBuf,
}

/// Does everything that the page says, and compares what it shows with what is printed.
///
/// # Errors
/// The first example that is not as the book has it.
pub fn play(name: &str) -> Result<()> {
    let repository = repository()?;
    let Some(machine) = Machine::boot(&repository)? else { return Ok(()) };
    let binary = operator::binary()?.canonicalize()?;
    let devnet = binary.with_file_name("devnet");
    ensure!(devnet.is_file(), "no devnet binary: run cargo build --workspace --bins");
    // A Debian package to be installed in place of the one that is made there.
    let given = ["ANVIL", "FACILITATOR_DEB"].map(|name| (name, env::var(name).unwrap_or_default()));
    let (binary, devnet) = (binary.to_string_lossy(), devnet.to_string_lossy());
    // Where `cargo install` puts programs, as the introduction says.
    let path = format!("/home/op/.cargo/bin:{PATH}");
    let profile = cargo::put(&machine)?;
    let mut variables = vec![("FACILITATOR", &*binary), ("FACILITATOR_DEVNET", &*devnet)];
    // For scripts/package.
    variables.extend([("FACILITATOR_BUILT", &*profile), ("PATH", &*path)]);
    variables.extend(given.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, value.as_str())));
    let shell = machine.shell(&repository, &variables)?;
    let sources = repository.join("docs/src");
    let mut reader = Reader { machine, shell, names: Names::default(), answers: VecDeque::new(), sources };
    reader.follow(name, true)
}

impl Reader {
    fn follow(&mut self, name: &str, to_the_end: bool) -> Result<()> {
        let page = Page::read(&self.sources, name)?;
        for step in &page.steps {
            if *step == Step::Leave && !to_the_end {
                return Ok(());
            }
            if let Step::Needs(command) = step
                && !self.has(command).with_context(|| format!("docs/src/{name}"))?
            {
                return Ok(());
            }
            self.take(step).with_context(|| format!("docs/src/{name}"))?;
        }
        ensure!(self.answers.is_empty(), "docs/src/{name}: nothing asked for the last {} answers", self.answers.len());
        Ok(())
    }

    fn take(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::After(page) => self.follow(page, false),
            Step::Leave | Step::Needs(_) => Ok(()),
            Step::Answer(answers) => {
                self.answers.extend(answers.iter().cloned());
                Ok(())
            }
            Step::Merge { file, json } => self.merge(file, json),
            Step::Edit { unit, text } => self.edit(unit, text),
            Step::Run { command, shown, code, at_terminal } => {
                let typed = self.names.fill_in(command)?;
                let (ended, mut printed) = match at_terminal {
                    true => terminal::run(&mut self.shell, &typed, &mut self.answers)?,
                    false => self.run(&typed)?,
                };
                ensure!(ended == *code, "`{command}` ended with {ended}, not {code}:\n{}", printed.join("\n"));
                printed.retain(|line| !line.contains(SLOW));
                self.names.compare(shown, &printed).with_context(|| format!("`{command}`"))
            }
        }
    }

    /// Whether this machine can show what follows; else a loud word.
    fn has(&mut self, command: &str) -> Result<bool> {
        let (ended, printed) = self.shell.run(command)?;
        if ended == NOT_HERE {
            skipped::say(&printed.join(" "));
            return Ok(false);
        }
        ensure!(ended == 0, "`{command}` ended with {ended}:\n{}", printed.join("\n"));
        Ok(true)
    }

    /// Runs a command, and answers what it asks meanwhile.
    fn run(&mut self, typed: &str) -> Result<(i32, Vec<String>)> {
        if self.answers.is_empty() {
            return self.shell.run(typed);
        }
        let (shell, machine, answers) = (&mut self.shell, &self.machine, &mut self.answers);
        answers::during(machine, answers, || shell.run(typed))?
    }

    /// Has an editor type what the page shows; `systemctl` starts none but on a terminal.
    fn edit(&mut self, unit: &str, text: &str) -> Result<()> {
        let typed = Path::new("/run/typed");
        fs::write(self.machine.file(typed), self.names.fill_in(text)? + "\n")?;
        let edit = format!("script --quiet --return --command 'systemctl edit {unit}' /dev/null");
        self.shell.tell(&format!("SYSTEMD_EDITOR='cp {}' {edit}", typed.display())).map(drop)
    }

    /// Puts what the page shows into a file of the machine.
    fn merge(&mut self, file: &str, json: &str) -> Result<()> {
        let (_, told) = self.shell.run(&format!("realpath {file}"))?;
        let path = self.machine.file(Path::new(told.first().context("no such file")?));
        let mut whole: Json = serde_json::from_slice(&fs::read(&path).with_context(|| format!("no {file}"))?)?;
        let filled = self.names.fill_in(json)?;
        let filled = if filled.trim_start().starts_with('{') { filled } else { format!("{{{filled}}}") };
        put(&mut whole, serde_json::from_str(&filled).with_context(|| format!("no JSON: {json}"))?);
        Ok(fs::write(&path, serde_json::to_vec_pretty(&whole)?)?)
    }
}

/// Objects are joined, everything else is replaced.
fn put(into: &mut Json, from: Json) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (key, value) in from {
                put(into.entry(key).or_insert(Json::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
