//! Faults around a repository: lost writes, foreign databases, files that shrink, change or are
//! replaced during a run.

mod false_alarms;
#[cfg(unix)]
mod fifo;
mod flipped;
pub(crate) mod foreign;
mod lost_write;
#[cfg(unix)]
pub(crate) mod oversized;
#[cfg(unix)]
mod replaced;
#[cfg(unix)]
mod shrink;

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::common::{Ended, Home, TestRepo};

/// Opens the database of a repository directory of a home.
pub(crate) fn sql(home: &Home, dir: &str) -> Connection {
    Connection::open(home.dir().join(dir).join("pds.db")).unwrap()
}

/// Copies a repository directory within a home.
fn copy_within(home: &Home, from: &str, to: &str) {
    copy(&home.dir().join(from), &home.dir().join(to));
}

/// Copies a repository and everything next to it.
pub(crate) fn duplicate(repo: &TestRepo) -> TestRepo {
    let home = Home::new();
    copy(repo.home.dir(), home.dir());
    TestRepo { home }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// The text of the note of a name, if it can be read.
fn read_note(repo: &TestRepo, name: &str) -> Result<String, String> {
    let ended = repo.pds(["get", &format!("com.example.note/{name}"), "--json"]).ended();
    if ended.code() != 0 {
        return Err(said(&ended));
    }
    let record: Value = serde_json::from_str(&ended.text()).unwrap();
    Ok(record["value"]["text"].as_str().unwrap().to_owned())
}

/// The exit code and the output of a run, on one line.
fn said(ended: &Ended) -> String {
    let out = ended.text();
    let end = if let Some(signal) = signal(ended) {
        format!("signal {signal}")
    } else {
        format!("exit {}", ended.code())
    };
    let lines = out.lines().chain(ended.stderr.lines()).take(4);
    let lines = lines.map(|line| line.chars().take(SHOWN_CHARS).collect()).collect::<Vec<String>>();
    format!("{end}: {}", lines.join(" | "))
}

/// How much of a line is shown.
const SHOWN_CHARS: usize = 160;

#[cfg(unix)]
fn signal(ended: &Ended) -> Option<i32> {
    ended.signal()
}

#[cfg(not(unix))]
fn signal(_: &Ended) -> Option<i32> {
    None
}

/// Collects what failed of many checks, so that one failure does not hide the others.
#[derive(Default)]
pub(crate) struct Failures {
    checks: usize,
    failed: Vec<String>,
}

impl Failures {
    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.failed.push(what());
        }
    }

    /// How many checks have failed.
    pub(crate) fn failed(&self) -> usize {
        self.failed.len()
    }

    /// Fails the test if any check failed.
    pub(crate) fn assert_none(self) {
        let (failed, checks) = (self.failed.len(), self.checks);
        assert!(failed == 0, "{failed} of {checks} checks failed:\n{}", self.failed.join("\n"));
        assert!(checks > 0, "nothing was checked");
    }
}
