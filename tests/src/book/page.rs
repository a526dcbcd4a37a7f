//! A page of the book as a list of what is to be done.

use anyhow::{Context as _, Result, bail, ensure};
use std::{fs, path::Path};

/// The mark up to which a page is followed by those who go on elsewhere.
const LEAVE: &str = "those who go on leave here";

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The examples of another page come first.
    After(String),
    /// A command that the page shows, or one that stands behind it.
    Run {
        /// As it is typed.
        command: String,
        /// What the page shows of its output; nothing is compared if this is empty.
        shown: Vec<String>,
        /// How it must end.
        code: i32,
        /// Whether a person types it at a terminal.
        at_terminal: bool,
    },
    /// A command that looks whether this machine can show what follows.
    Needs(String),
    /// JSON that is put into a file.
    Merge {
        /// The file.
        file: String,
        /// What is put into it.
        json: String,
    },
    /// Lines that `systemctl edit` is to write into a drop-in.
    Edit {
        /// The unit.
        unit: String,
        /// What its operator types.
        text: String,
    },
    /// What a person would answer to the questions that the following commands ask, one after the other.
    Answer(Vec<String>),
    /// Those who go on elsewhere leave here.
    Leave,
}

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Its name, below the book's sources.
    pub name: String,
    /// What it says to do.
    pub steps: Vec<Step>,
}

/// Announces commands that ask at a terminal.
const AT_TERMINAL: &str = "at a terminal";
/// Announces a session that is not carried out.
const SHOWN_ONLY: &str = "shown only";

/// What a comment has announced for the next block.
#[derive(Debug, Default, PartialEq, Eq)]
struct Announced {
    answers: Vec<String>,
    code: i32,
    merge: Option<String>,
    edit: Option<String>,
    at_terminal: bool,
    shown_only: bool,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// When there is none, or a comment is not understood.
    pub fn read(sources: &Path, name: &str) -> Result<Self> {
        let text = fs::read_to_string(sources.join(name)).with_context(|| format!("no page {name}"))?;
        Ok(Self { name: name.to_owned(), steps: steps(&text).with_context(|| name.to_owned())? })
    }

    /// Whether there is anything to do.
    #[must_use]
    pub fn has_examples(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Run { .. } | Step::Merge { .. } | Step::Edit { .. }))
    }
}

fn steps(text: &str) -> Result<Vec<Step>> {
    let mut found = Vec::new();
    let mut announced = Announced::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(begun) = line.strip_prefix("<!-- book: ") {
            let mut comment = begun.to_owned();
            while !comment.ends_with("-->") {
                comment = format!("{comment}\n{}", lines.next().context("a comment does not end")?);
            }
            note(comment.trim_end_matches("-->").trim(), &mut announced, &mut found)?;
        } else if let Some(kind) = line.trim_start().strip_prefix("```").filter(|kind| !kind.is_empty()) {
            let indent = line.len() - line.trim_start().len();
            let body: Vec<&str> = lines
                .by_ref()
                .take_while(|line| line.trim() != "```")
                .map(|line| line.get(indent..).unwrap_or_default())
                .collect();
            block(kind, &body, &mut announced, &mut found)?;
        }
    }
    ensure!(announced == Announced::default(), "no block: {announced:?}");
    Ok(found)
}

/// A command that ends well.
fn run(command: &str) -> Step {
    Step::Run { command: command.to_owned(), shown: Vec::new(), code: 0, at_terminal: false }
}

fn note(comment: &str, announced: &mut Announced, found: &mut Vec<Step>) -> Result<()> {
    if comment == LEAVE {
        found.push(Step::Leave);
        return Ok(());
    }
    if comment == SHOWN_ONLY {
        announced.shown_only = true;
        return Ok(());
    }
    if comment == AT_TERMINAL {
        announced.at_terminal = true;
        return Ok(());
    }
    let (word, rest) = comment.split_once(char::is_whitespace).with_context(|| format!("what is {comment}?"))?;
    match word {
        "after" => found.push(Step::After(rest.to_owned())),
        "run" => found.push(run(rest)),
        "needs" => found.push(Step::Needs(rest.to_owned())),
        "answer" => announced.answers.push(rest.to_owned()),
        "exit" => announced.code = rest.parse()?,
        "merge" => announced.merge = Some(rest.to_owned()),
        "edit" => announced.edit = Some(rest.to_owned()),
        _ => bail!("what is {comment}?"),
    }
    Ok(())
}

fn block(kind: &str, body: &[&str], announced: &mut Announced, found: &mut Vec<Step>) -> Result<()> {
    // A session in another kind of block would be passed over unseen.
    let is_session = kind == "text" && body.iter().any(|line| line.starts_with("$ "));
    let shown_only = std::mem::take(&mut announced.shown_only);
    ensure!(is_session == shown_only, "`book: {SHOWN_ONLY}` stands before a session of the kind text, and only there");
    match kind {
        "console" => {
            let code = std::mem::take(&mut announced.code);
            let terminal = std::mem::take(&mut announced.at_terminal);
            let answers = std::mem::take(&mut announced.answers);
            if !answers.is_empty() {
                found.push(Step::Answer(answers));
            }
            let first = found.len();
            for line in body {
                session_line(line, first, found)?;
            }
            for step in found.iter_mut().skip(first) {
                if let Step::Run { at_terminal, .. } = step {
                    *at_terminal = terminal;
                }
            }
            if let Some(Step::Run { code: own, .. }) = found.last_mut() {
                *own = code;
            }
        }
        "json" => {
            let file = announced.merge.take().context("no file for this JSON: `book: merge FILE`")?;
            found.push(Step::Merge { file, json: body.join("\n") });
        }
        "ini" => {
            let unit = announced.edit.take().context("no unit for this drop-in: `book: edit UNIT`")?;
            found.push(Step::Edit { unit, text: body.join("\n") });
        }
        "text" | "promql" => {}
        _ => bail!("commands stand in blocks of the kind console; what is {kind}?"),
    }
    Ok(())
}

/// A line of a session, whose steps begin with the one of this index.
fn session_line(line: &str, first: usize, found: &mut Vec<Step>) -> Result<()> {
    let last = found.len().checked_sub(1).filter(|last| *last >= first).and_then(|last| found.get_mut(last));
    if let Some(Step::Run { command, .. }) = last
        && command.ends_with('\\')
    {
        *command = format!("{} {}", command.trim_end_matches('\\').trim_end(), line.trim());
    } else if let Some(typed) = line.strip_prefix("$ ").or_else(|| line.strip_prefix("# ")) {
        found.push(run(typed));
    } else {
        let last = found.len().checked_sub(1).filter(|last| *last >= first).and_then(|last| found.get_mut(last));
        let Some(Step::Run { shown, .. }) = last else { bail!("output without a command: {line}") };
        shown.push(line.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str, shown: &[&str], code: i32) -> Step {
        let shown = shown.iter().map(ToString::to_string).collect();
        Step::Run { command: command.into(), shown, code, at_terminal: false }
    }

    #[test]
    fn a_page_is_what_it_says_to_do() {
        let text = "\
<!-- book: after first.md -->
<!-- book: run one
two -->
```console
$ a \\
    b
  out
$ c
```
<!-- book: exit 1 -->
1. x
   ```console
   # d
   …
   ```
<!-- book: those who go on leave here -->
```console
$ e
```
<!-- book: answer a sentence -->
<!-- book: answer another -->
```console
# j
```
<!-- book: needs k -->
<!-- book: at a terminal -->
```console
$ l
  asks
```
<!-- book: shown only -->
```text
$ i
```
```text
what is no session
```
<!-- book: merge g.json -->
```json
\"h\": 1
```
<!-- book: edit k@1 -->
```ini
[Service]
l=m
```
";
        let wanted = [
            Step::After("first.md".into()),
            run("one\ntwo", &[], 0),
            run("a b", &["  out"], 0),
            run("c", &[], 0),
            run("d", &["…"], 1),
            Step::Leave,
            run("e", &[], 0),
            Step::Answer(vec!["a sentence".into(), "another".into()]),
            run("j", &[], 0),
            Step::Needs("k".into()),
            Step::Run { command: "l".into(), shown: vec!["  asks".into()], code: 0, at_terminal: true },
            Step::Merge { file: "g.json".into(), json: "\"h\": 1".into() },
            Step::Edit { unit: "k@1".into(), text: "[Service]\nl=m".into() },
        ];
        assert_eq!(steps(text).unwrap(), wanted);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in [
            "<!-- book: sing -->",
            "<!-- book: instead a -->\n```console\n$ b\n```",
            "<!-- book: exit 1 -->",
            "<!-- book: at a terminal -->\n```json\n```",
            "<!-- book: answer a -->\n```json\n```",
            "```sh\na\n```",
            "```json\n```",
            "```ini\n```",
            "```console\nout\n```",
            "```text\n$ a\n```",
            "<!-- book: shown only -->",
            "<!-- book: shown only -->\n```text\na\n```",
            "<!-- book: shown only -->\n```console\n$ a\n```",
        ] {
            assert!(steps(text).is_err(), "{text}");
        }
    }
}
