//! What is written from the command line's definition: man pages, shell completions, and the book's page of commands.
//!
//! `UPDATE_DOCUMENTS=1 cargo test -p facilitator --bin facilitator documents` writes them anew. They are made here, so
//! that the program carries nothing that it does not need to run.

use super::Cli;
use crate::failure;
use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

/// Columns of the help texts in the book.
const WIDTH: usize = 100;
const COMMANDS_HEAD: &str = "\
# Commands

<!-- generated from bin/facilitator/src/cli.rs -->

Every command answers `--help` with what stands here. Results go to standard output, logs and errors to standard error; \
what the exit codes mean stands in [Exit codes](exit-codes.md).
";

/// The whole command line, with everything that is handed down to subcommands.
fn command() -> Command {
    let mut command = without_help(Cli::command().term_width(WIDTH));
    command.build();
    command
}

/// Without the command `help`, which has no page.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// A command and all below it that operators see.
fn family(command: &Command) -> Vec<&Command> {
    let shown = command.get_subcommands().filter(|each| !each.is_hide_set());
    std::iter::once(command).chain(shown.flat_map(family)).collect()
}

/// Its name as a page is called: `facilitator-requests-list`.
fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

/// Its name as it is typed: `facilitator requests list`.
fn typed(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

/// A section of examples: what is indented stays as it is, all else is text.
fn examples_section(text: &str) -> Roff {
    let mut section = Roff::default();
    section.control("SH", ["EXAMPLES"]);
    let mut filled = true;
    for line in text.lines() {
        let text = !line.starts_with("  ");
        if text != filled {
            section.control(if text { "fi" } else { "nf" }, []);
            filled = text;
        }
        if line.is_empty() {
            section.control("PP", []);
        } else {
            section.text([roman(line)]);
        }
    }
    if !filled {
        section.control("fi", []);
    }
    section
}

/// A manual page; the first one also tells the exit codes.
fn man_page(command: &Command) -> Vec<u8> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("Facilitator Manual");
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    if family(command).len() > 1 {
        man.render_subcommands_section(&mut page).unwrap();
    }
    if let Some(text) = command.get_after_help() {
        examples_section(&text.to_string()).to_writer(&mut page).unwrap();
    }
    let mut section = Roff::default();
    if command.get_name() == "facilitator" {
        section.control("SH", ["EXIT STATUS"]);
        for (number, meaning) in failure::documented() {
            section.control("TP", []).text([roman(number.to_string())]).text([roman(meaning)]);
        }
    } else {
        section.control("SH", ["SEE ALSO"]).text([roman("facilitator(1)")]);
    }
    section.to_writer(&mut page).unwrap();
    page
}

fn completions(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "facilitator", &mut text);
    text
}

fn book_page() -> String {
    let mut text = COMMANDS_HEAD.to_owned();
    for each in family(&command()) {
        let help = each.clone().term_width(WIDTH).render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        text += &format!("\n## {}\n\n```text\n{}\n```\n", typed(each), lines.join("\n").trim_end());
    }
    text
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Writes a folder's files anew, or compares them: all of them, and no other.
fn keep(folder: &str, wanted: &BTreeMap<String, Vec<u8>>) {
    let folder = repository().join(folder);
    let update = env::var_os("UPDATE_DOCUMENTS").is_some();
    if update {
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in wanted {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let there = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut there: Vec<_> = there.collect();
    there.sort();
    assert_eq!(there, wanted.keys().cloned().collect::<Vec<_>>(), "run with UPDATE_DOCUMENTS=1 to write them anew");
    for (name, text) in wanted {
        let found = fs::read(folder.join(name)).unwrap();
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text_of(&found), text_of(text), "{name}: run with UPDATE_DOCUMENTS=1 to write it anew");
    }
}

#[test]
fn every_command_has_its_man_page() {
    let command = command();
    let pages = family(&command).into_iter().map(|each| (format!("{}.1", page_name(each)), man_page(each)));
    keep("config/man", &pages.collect());
}

#[test]
fn the_shell_completions_are_those_of_the_commands() {
    let files = [("facilitator.bash", Shell::Bash), ("_facilitator", Shell::Zsh), ("facilitator.fish", Shell::Fish)];
    keep("config/completions", &files.map(|(name, shell)| (name.to_owned(), completions(shell))).into());
}

#[test]
fn the_book_has_every_command() {
    let path = repository().join("docs/src/reference/commands.md");
    let wanted = book_page();
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), wanted, "run with UPDATE_DOCUMENTS=1 to write it anew");
}

/// The commands in the text below a help, each on one line, without what explains them or belongs to the shell.
fn examples_of(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let joined = text.split("\\\n").map(str::trim).collect::<Vec<_>>().join(" ");
    let alone = |line: &str| {
        let line = line.split("   ").next()?.split(" >").next()?;
        line.starts_with("facilitator ").then(|| line.replace('\'', ""))
    };
    joined.lines().filter_map(|line| alone(line.trim())).collect()
}

/// The help of each command shows how it is used, and the examples are such that it takes them.
#[test]
fn the_help_of_every_command_has_an_example_of_it_that_works() {
    let command = command();
    for each in family(&command) {
        let examples = examples_of(each);
        assert!(examples.iter().any(|line| line.starts_with(&typed(each))), "{} has no example", typed(each));
        let text = each.get_after_help().map(ToString::to_string).unwrap_or_default();
        let broken = text.lines().find(|line| line.starts_with("  ") && line.chars().count() > WIDTH);
        assert_eq!(broken, None, "an example of {} is wrapped", typed(each));
        for line in examples {
            if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
                panic!("the example `{line}` of {}: {error}", typed(each));
            }
        }
    }
}

/// Whoever has run a command is told where to go from there; a command with subcommands leaves that to them.
#[test]
fn the_help_of_every_command_says_what_comes_next() {
    for each in family(&command()).into_iter().filter(|each| family(each).len() == 1) {
        let text = each.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(text.lines().any(|line| line.starts_with("Next: ")), "{} leads nowhere", typed(each));
    }
}

/// What all commands take stands behind what is their own, however their options are declared.
#[test]
fn options_about_logging_stand_apart() {
    for each in family(&command()) {
        let text = each.clone().render_long_help().to_string();
        let (own, logging) = text.split_once("\nLogging:\n").unwrap_or_default();
        assert!(own.contains("Options:\n") && !own.contains("--log-"), "{text}");
        assert!(logging.contains("--log-level") && logging.contains("--log-format"), "{text}");
    }
}
