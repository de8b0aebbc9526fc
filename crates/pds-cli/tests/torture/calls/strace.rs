//! Kills at chosen system calls, by `strace`.
//!
//! A run without injection lists the calls. Each further run, on a fresh copy of the same home, is
//! killed just before one of them. `strace` counts the calls of each thread for itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use crate::common::{Ended, Home, Run, TestRepo, say, torture};

/// Calls that change files, or come between two that do; `?` allows for systems without the call.
const CALLS: [&str; 20] = [
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
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
];

/// A command of `pds`, with its input, for a copy of a prepared home.
pub(super) struct Scenario<'a> {
    pub(super) name: &'static str,
    pub(super) home: &'a Home,
    pub(super) args: &'a [&'a str],
    pub(super) stdin: &'a str,
    /// The number of kills in the normal run; `PDS_TORTURE=full` kills at every call.
    pub(super) kills: usize,
}

/// The state that a killed run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Old,
    New,
}

/// A call of a thread: the n-th of its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Point {
    call: String,
    n: usize,
}

/// Tells whether runs can be traced. Says so if not, and fails where the gate demands it.
pub(super) fn is_available() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let reason = match traced {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(
        std::env::var_os("PDS_FIXTURES_REQUIRED").is_none(),
        "the kills at system calls need strace: {reason}"
    );
    say(&format!("SKIPPED: no kill was tried, because strace cannot run here: {reason}"));
    false
}

impl Scenario<'_> {
    /// Runs the command once to its end and returns the home, for its new state.
    pub(super) fn completed(&self) -> TestRepo {
        let repo = TestRepo { home: self.home.copied() };
        repo.home.pds(self.args.iter().copied()).stdin(self.stdin).ended().done();
        repo
    }

    /// Kills the command at its calls, each time on a fresh copy, and checks what is left.
    pub(super) fn kill(&self, check: impl Fn(&TestRepo) -> Left) {
        let points = self.points();
        let chosen = self.chosen(&points);
        let (mut left, mut killed, mut failures) = (BTreeMap::new(), 0, Vec::new());
        let mut files = BTreeSet::new();
        for Point { call, n } in &chosen {
            let repo = TestRepo { home: self.home.copied() };
            let injection = format!("inject={call}:signal=KILL:when={n}");
            let ended = self.traced(&repo.home, &["-e", &injection]).ended();
            killed += usize::from(ended.exit().is_none());
            let found = catch_unwind(AssertUnwindSafe(|| {
                let acknowledged = self.is_acknowledged(&ended);
                let found = check(&repo);
                assert!(
                    found == Left::New || !acknowledged,
                    "the command has answered, and its change is lost: {}",
                    ended.text()
                );
                found
            }));
            files.extend(files_of(&repo.home));
            match found {
                Ok(Left::Old) => *left.entry("old").or_insert(0) += 1,
                Ok(Left::New) => *left.entry("new").or_insert(0) += 1,
                Err(panic) => {
                    let said = panic.downcast_ref::<String>().cloned();
                    let said = said.or(panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
                    let said: String = said.unwrap_or_default().chars().take(400).collect();
                    failures.push(format!("strace -f -e {injection}: {said}"));
                }
            }
        }
        let found =
            format!("{killed} killed, of {} calls; left: {left:?}; files: {files:?}", points.len());
        torture::row(&format!("kill: {}", self.name), chosen.len(), &found);
        assert!(
            failures.is_empty(),
            "{} of {} kills of pds {} have left something else:\n{}",
            failures.len(),
            chosen.len(),
            self.args.join(" "),
            failures.join("\n")
        );
        assert!(killed > 0 && left.len() == 2, "kills before and after the change: {left:?}");
    }

    /// The calls of a run from the first that names a file of the home on, in their order.
    fn points(&self) -> Vec<Point> {
        let repo = TestRepo { home: self.home.copied() };
        let ended = self.traced(&repo.home, &[]).ended();
        assert_eq!(ended.exit(), Some(0), "{}: {}", self.name, ended.stderr);
        let trace = String::from_utf8(repo.home.read(TRACE)).unwrap();
        let home = repo.home.dir().file_name().unwrap().to_str().unwrap();
        let places = ["alice", home];
        let (mut counts, mut is_at_work) = (HashMap::new(), false);
        let (mut seen, mut points) = (HashSet::new(), Vec::new());
        for line in trace.lines() {
            // `123  openat(AT_FDCWD, …`; the end of a call that was interrupted has no such name.
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
            if !CALLS.contains(&call) {
                continue;
            }
            let n: &mut usize = counts.entry((thread.to_owned(), call.to_owned())).or_default();
            *n += 1;
            is_at_work |= places.iter().any(|place| line.contains(place));
            let point = Point { call: call.to_owned(), n: *n };
            if is_at_work && seen.insert(point.clone()) {
                points.push(point);
            }
        }
        assert!(!points.is_empty(), "{}: no calls in {trace}", self.name);
        points
    }

    /// All calls, or a spread: up to half of it renames, links, removals and the like.
    fn chosen(&self, points: &[Point]) -> Vec<Point> {
        if torture::amount(self.kills, usize::MAX) >= points.len() {
            return points.to_vec();
        }
        let of = |kind: fn(&str) -> bool| -> Vec<Point> {
            points.iter().filter(|point| kind(&point.call)).cloned().collect()
        };
        let mut chosen = spread(&of(|call| !is_quiet(call) && !is_content(call)), self.kills / 2);
        chosen.extend(spread(&of(|call| call.contains("sync")), self.kills / 5));
        chosen.extend(spread(&of(is_quiet), self.kills / 10));
        chosen.extend(spread(&of(|call| call.contains("write")), self.kills - chosen.len()));
        chosen
    }

    /// Tells whether the command has said that it is done.
    fn is_acknowledged(&self, ended: &Ended) -> bool {
        match ended.exit() {
            Some(code) => {
                assert_eq!(code, 0, "not killed: {}", ended.stderr);
                true
            }
            None => ended.stdout.ends_with(b"\n"),
        }
    }

    fn traced(&self, home: &Home, options: &[&str]) -> Run {
        let mut command = home.command("strace");
        let calls = CALLS.map(|call| format!("?{call}")).join(",");
        command.args(["-f", "-o", TRACE, "-e", &format!("trace={calls}")]).args(options);
        command.args(["--", "pds"]).args(self.args);
        Run::new(command).stdin(self.stdin)
    }
}

/// Calls that change no file, so the normal run kills at few of them.
fn is_quiet(call: &str) -> bool {
    ["openat", "flock", "close"].contains(&call)
}

/// Calls that write or sync the bytes of a file; a run has many.
fn is_content(call: &str) -> bool {
    call.contains("write") || call.contains("sync")
}

/// At most so many of them, evenly, with the first and the last.
fn spread(points: &[Point], count: usize) -> Vec<Point> {
    if points.len() <= count {
        return points.to_vec();
    }
    let last = points.len() - 1;
    (0..count).map(|n| points[n * last / (count - 1).max(1)].clone()).collect()
}

/// The names of the files of the home and of the repository in it, without what is random.
fn files_of(home: &Home) -> Vec<String> {
    let mut names = home.list(".");
    names.retain(|name| name != "alice" && name != TRACE);
    if home.dir().join("alice").is_dir() {
        names.extend(home.list("alice").into_iter().map(|name| format!("alice/{name}")));
    }
    names.into_iter().map(|name| without_random(&name)).collect()
}

fn without_random(name: &str) -> String {
    for prefix in [".pds-new-", ".pds-repair-", ".key.", "key.unused-"] {
        if let Some(at) = name.find(prefix) {
            return format!("{}…", &name[..at + prefix.len()]);
        }
    }
    name.to_owned()
}

const TRACE: &str = "trace.txt";
