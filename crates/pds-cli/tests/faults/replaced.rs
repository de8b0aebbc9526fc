//! A database that is replaced under a running process: the process does not report a write that
//! is not in the file at that path.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::{Failures, copy_within, read_note};
use crate::common::{Lines, TestRepo, creation};

/// What takes the place of the database.
const KINDS: [&str; 4] = ["copy", "older copy", "copied directory", "nothing"];

/// A repository at `alice`, a copy of it at `same`, and an older copy at `older`.
fn prepared() -> TestRepo {
    let repo = TestRepo::with_notes();
    copy_within(&repo.home, "alice", "older");
    repo.put("later", "later");
    copy_within(&repo.home, "alice", "same");
    repo
}

fn replace(repo: &TestRepo, kind: &str) {
    let path = |name: &str| repo.home.dir().join(name);
    match kind {
        "nothing" => fs::remove_file(path("alice/pds.db")).unwrap(),
        "copied directory" => {
            fs::rename(path("alice"), path("moved")).unwrap();
            fs::rename(path("same"), path("alice")).unwrap();
        }
        _ => {
            let from = if kind == "copy" { "same/pds.db" } else { "older/pds.db" };
            fs::rename(path(from), path("alice/pds.db")).unwrap();
        }
    }
}

/// Waits until a process has opened the database, or would have.
fn wait_for_open(child: &Child, database: &Path) {
    let (started, database) = (Instant::now(), fs::canonicalize(database).unwrap());
    let files = format!("/proc/{}/fd", child.id());
    let is_open = || {
        let files = fs::read_dir(&files).ok()?;
        let mut files = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        files.find(|file| *file == database)
    };
    while is_open().is_none() && started.elapsed() < Duration::from_secs(1) {
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(50));
}

/// Waits for the end of a process and returns its exit code; a process that hangs is killed.
fn end(mut child: Child) -> Option<i32> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(20) {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or_else(|| panic!("{status}")));
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Checks that a write that was acknowledged is at the path, and that the file there is whole.
fn check(
    repo: &TestRepo,
    code: Option<i32>,
    acknowledged: bool,
    what: &str,
    failures: &mut Failures,
) {
    failures.check(code.is_some(), || format!("{what}: hangs"));
    let read = read_note(repo, "new");
    let is_kept = !acknowledged || read.as_deref() == Ok("new");
    failures.check(is_kept, || format!("{what}: exit {code:?}, and get is {read:?}"));
    if repo.home.dir().join("alice/pds.db").exists() {
        let verify = repo.pds(["verify", "--history"]).ended();
        failures.check(verify.code() == 0, || {
            format!("{what}: exit {code:?}, and verify is {}", super::said(&verify))
        });
        let put = repo.pds(["put", "com.example.note/next"]).stdin("{}").ended();
        failures.check(put.code() == 0, || format!("{what}: the next {}", super::said(&put)));
    }
}

#[test]
fn a_write_into_a_database_that_was_replaced_is_not_acknowledged() {
    let mut failures = Failures::default();
    for kind in KINDS {
        for (args, input) in [
            (&["put", "com.example.note/new"][..], "{\"text\":\"new\"}".into()),
            (&["apply"], creation("new", "new")),
            (&["apply", "--batch", "1"], creation("new", "new")),
        ] {
            let repo = prepared();
            let mut child = repo.pds(args.iter().copied()).start();
            wait_for_open(&child, &repo.home.dir().join("alice/pds.db"));
            replace(&repo, kind);
            // A process that has failed already closes the pipe.
            drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
            let code = end(child);
            let what = format!("{kind} under {args:?}");
            check(&repo, code, code == Some(0), &what, &mut failures);
        }
    }
    failures.assert_none();
}

#[test]
fn an_import_into_a_database_that_was_replaced_is_not_acknowledged() {
    let mut failures = Failures::default();
    for kind in KINDS {
        for verb in ["import", "merge"] {
            let repo = prepared();
            copy_within(&repo.home, "alice", "newer");
            let newer = |args: &[&str]| {
                let args = ["-R", "newer"].into_iter().chain(args.iter().copied());
                let run = repo.home.pds(args.map(str::to_owned));
                let ended = run.stdin("{\"text\":\"new\"}").ended();
                assert_eq!(ended.code(), 0, "{}", ended.stderr);
                ended.stdout
            };
            newer(&["put", "com.example.note/new"]);
            let car = newer(&["export", "--chain"]);
            let mut child = repo.pds([verb, "-"]).start();
            wait_for_open(&child, &repo.home.dir().join("alice/pds.db"));
            replace(&repo, kind);
            drop(child.stdin.take().unwrap().write_all(&car));
            let code = end(child);
            let what = format!("{kind} under {verb}");
            check(&repo, code, code == Some(0), &what, &mut failures);
        }
    }
    failures.assert_none();
}

#[test]
fn a_batch_after_a_replacement_is_not_acknowledged() {
    let mut failures = Failures::default();
    for kind in KINDS {
        let repo = prepared();
        let mut child = repo.pds(["apply", "--batch", "1"]).start();
        let (mut input, lines) = (child.stdin.take().unwrap(), Lines::of(&mut child));
        input.write_all(creation("first", "first").as_bytes()).unwrap();
        assert!(lines.next().contains("com.example.note/first"), "{kind}");
        replace(&repo, kind);
        drop(input.write_all(creation("new", "new").as_bytes()));
        drop(input);
        let code = end(child);
        let acknowledged = lines.rest().iter().any(|line| line.contains("com.example.note/new"));
        let what = format!("{kind} between two batches");
        check(&repo, code, acknowledged || code == Some(0), &what, &mut failures);
    }
    failures.assert_none();
}
