//! The table of habits: its hints are valid command lines, and none of its rows hides a verb.
#![allow(clippy::unwrap_used)]

use clap::Command;

use super::{GIT, GOAT, HabitRow};
use crate::args::Cli;

/// The commands in a hint.
fn commands(hint: &str) -> Vec<&str> {
    let parts = hint.split([',', ';', '|']);
    parts.filter_map(|part| part.split_once("pds ").map(|(_, command)| command.trim())).collect()
}

/// Values for the placeholders of hints.
const VALUES: [(&str, &str); 11] = [
    ("ACCOUNT", "alice.example.com"),
    ("PATH", "com.example.note/a"),
    ("REV", "HEAD"),
    ("FILE", "file.car"),
    ("DIR", "directory"),
    ("NAME", "draft"),
    ("COLLECTION", "com.example.note"),
    // A shell removes the quotes.
    ("'COLLECTION/*'", "com.example.note/*"),
    ("CID", "bafyreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee"),
    ("TID", "3jzfcijpj2z2a"),
    ("DID", "did:web:alice.example.com"),
];

fn all() -> impl Iterator<Item = &'static HabitRow> {
    GIT.iter().chain(GOAT)
}

fn value(word: &str) -> &str {
    VALUES.iter().find(|(name, _)| *name == word).map_or(word, |(_, value)| *value)
}

fn parse(program: &Command, line: &str) -> Result<(), clap::Error> {
    let words: Vec<&str> = ["pds"].into_iter().chain(line.split_whitespace().map(value)).collect();
    match program.clone().try_get_matches_from(words) {
        Err(error) if error.use_stderr() => Err(error),
        _ => Ok(()),
    }
}

#[test]
fn every_command_in_a_hint_is_valid() {
    let command = Cli::program();
    let mut count = 0;
    for (names, _, hint) in all() {
        for line in commands(hint) {
            count += 1;
            if let Err(error) = parse(&command, line) {
                panic!("{names}: pds {line}\n{error}");
            }
        }
    }
    assert!(count > 80, "{count}");
}

#[test]
fn no_habit_hides_a_verb_or_a_flag() {
    let command = Cli::program();
    for (names, ..) in all() {
        for name in names.split('|') {
            let error = parse(&command, name).expect_err(name);
            let kind = error.kind();
            let is_unknown = matches!(
                kind,
                clap::error::ErrorKind::InvalidSubcommand | clap::error::ErrorKind::UnknownArgument
            );
            assert!(is_unknown, "{name}: {error}");
        }
    }
}

#[test]
fn every_name_occurs_once() {
    let mut names: Vec<&str> = all().flat_map(|(names, ..)| names.split('|')).collect();
    names.sort_unstable();
    let mut unique = names.clone();
    unique.dedup();
    assert_eq!(names, unique);
}
