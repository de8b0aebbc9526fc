//! Runs under `strace`, which lists the calls and injects faults.
//!
//! `strace` counts the calls of each thread for itself.

use std::collections::{HashMap, HashSet};
use std::process::Command;

use super::scenario::Scenario;
use crate::common::{Home, Run, say};

/// Calls that change files, or come between two that do; `?` allows for systems without the call.
const CALLS: [&str; 23] = [
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "syncfs",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "ftruncate",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "openat",
    "utimensat",
    "flock",
    "close",
    "copy_file_range",
    "fchmod",
];

/// A call of a thread: the n-th of its name.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) call: String,
    pub(super) n: usize,
    /// The file of the call, from the home on; empty for a file elsewhere.
    pub(super) file: String,
    /// The descriptor, if the call has one.
    pub(super) descriptor: Option<u32>,
}

impl Point {
    /// Reads the arguments of a call, as `strace -y` prints them.
    fn new(call: &str, n: usize, arguments: &str, home: &str) -> Self {
        let digits = arguments.split_once('<').map(|(digits, _)| digits);
        let descriptor = digits.and_then(|digits| digits.parse().ok());
        let named = match descriptor {
            Some(_) => arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')),
            // The new name of a rename or a link comes last.
            None => arguments.rsplit_once('"').and_then(|(rest, _)| rest.rsplit_once('"')),
        };
        let name = match (named, descriptor) {
            (Some((name, _)), Some(_)) | (Some((_, name)), None) => name,
            (None, _) => "",
        };
        let file = match name.split_once(home) {
            Some((_, file)) => file.trim_start_matches('/'),
            None if name.starts_with('/') || name.contains(':') => "",
            None => name,
        };
        Self { call: call.to_owned(), n, file: without_random(file), descriptor }
    }

    /// Tells whether the call changes a file of the home, its name, or what is on disk of it.
    pub(super) fn changes_a_file(&self) -> bool {
        let is_a_change = ["write", "sync", "rename", "link", "mkdir", "truncate", "copy"];
        !self.file.is_empty() && is_a_change.iter().any(|change| self.call.contains(change))
    }
}

/// Tells whether runs can be traced. Says so if not, and fails where the gate demands it.
pub(crate) fn is_available() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let reason = match traced {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(
        std::env::var_os("PDS_FIXTURES_REQUIRED").is_none(),
        "the tests of system calls need strace: {reason}"
    );
    say(&format!("SKIPPED: no system call was followed, because strace cannot run here: {reason}"));
    false
}

/// A run of the command of a scenario under `strace`.
pub(super) fn traced(scenario: &Scenario, home: &Home, options: &[&str]) -> Run {
    let mut command = home.command("strace");
    let calls = CALLS.map(|call| format!("?{call}")).join(",");
    command.args(["-f", "-y", "-o", TRACE, "-e", &format!("trace={calls}")]).args(options);
    command.args(["--", "pds"]).args(scenario.args());
    scenario.with_surroundings(Run::new(command), home)
}

/// The calls of a run from the first that names a file of the home on, in their order.
pub(super) fn points(home: &Home) -> Vec<Point> {
    let trace = String::from_utf8_lossy(&home.read(TRACE)).into_owned();
    let dir = home.dir().to_str().unwrap();
    let work = format!("AT_FDCWD<{dir}>");
    let (mut counts, mut is_at_work) = (HashMap::new(), false);
    let (mut seen, mut points) = (HashSet::new(), Vec::new());
    for line in trace.lines() {
        // `123  openat(AT_FDCWD, …`; the end of a call that was interrupted has no such name.
        let line = line.replace(&work, "AT_FDCWD");
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, arguments)) = rest.trim_start().split_once('(') else { continue };
        if !CALLS.contains(&call) {
            continue;
        }
        let n: &mut usize = counts.entry((thread.to_owned(), call.to_owned())).or_default();
        *n += 1;
        let point = Point::new(call, *n, arguments, dir);
        is_at_work |= !point.file.is_empty();
        if is_at_work && seen.insert((point.call.clone(), point.n)) {
            points.push(point);
        }
    }
    assert!(!points.is_empty(), "no calls in {trace}");
    points
}

/// A path without the random part of its names.
fn without_random(path: &str) -> String {
    let names = path.split('/').map(|name| {
        let begins = |prefix: &&&str| name.starts_with(**prefix);
        match UNFINISHED.iter().find(begins) {
            Some(prefix) => format!("{prefix}…"),
            None => name.to_owned(),
        }
    });
    names.collect::<Vec<_>>().join("/")
}

/// How the names of unfinished work begin; random letters follow.
const UNFINISHED: [&str; 10] = [
    ".pds-new-",
    ".pds-repair-",
    ".pds-export-",
    ".pds-unpack-",
    ".key.",
    "key.unused-",
    "pds-edit-",
    ".incoming-",
    "etilqs_",
    ".pds-records-",
];

pub(super) const TRACE: &str = "trace.txt";
