//! FIFOs in place of regular files. No process writes to them, so a plain `open` never returns.

use std::fs;
use std::time::Duration;

use super::{Failures, said};
use crate::common::{Ended, Run, TestRepo};

/// Makes a FIFO; a file of that name is replaced.
fn mkfifo(repo: &TestRepo, name: &str) -> String {
    let path = repo.home.path(name);
    drop(fs::remove_file(&path));
    assert!(repo.home.command("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Runs something that must end in time.
fn ends(run: Run, what: &str, failures: &mut Failures) -> Option<Ended> {
    let ended = run.ended_within(TIME);
    failures.check(ended.is_some(), || format!("{what}: still running after {TIME:?}"));
    ended
}

/// Runs something that must end in time, with an error that is printed.
fn fails(run: Run, what: &str, failures: &mut Failures) {
    let Some(ended) = ends(run, what, failures) else { return };
    let is_error = ended.code() != 0 && !(ended.stderr.is_empty() && ended.stdout.is_empty());
    failures.check(is_error, || format!("{what}: {}", said(&ended)));
}

/// A note with a blob, and the CID of the blob.
fn with_blob() -> (TestRepo, String) {
    let repo = TestRepo::with_notes();
    let blob = repo.pds(["blob", "put", "-"]).stdin("the bytes of a blob").ok();
    repo.pds(["put", "com.example.note/file"]).stdin(format!("{{\"file\":{blob}}}")).ok();
    let cid = repo.pds(["blob", "ls"]).ok();
    let cid = cid.split('\t').next().unwrap().trim().to_owned();
    (repo, cid)
}

/// Half of what is allowed in all, so that a test with several runs ends early enough, too.
const TIME: Duration = Duration::from_secs(5);

#[test]
fn a_fifo_in_place_of_the_key_is_an_error() {
    let repo = TestRepo::with_notes();
    mkfifo(&repo, "alice/key");
    let mut failures = Failures::default();
    for args in [
        &["put", "com.example.note/a"][..],
        &["rm", "com.example.note/a"],
        &["key", "rotate"],
        &["repair", "--rebuild"],
    ] {
        fails(repo.pds(args.iter().copied()).stdin("{}"), &format!("{args:?}"), &mut failures);
    }
    // These do not need the secret key.
    for args in [
        &["key", "show"][..],
        &["ls"],
        &["info"],
        &["verify"],
        &["reset", "HEAD~1"],
        &["repair", "--here"],
    ] {
        ends(repo.pds(args.iter().copied()), &format!("{args:?}"), &mut failures);
    }
    failures.assert_none();
}

#[test]
fn a_fifo_in_place_of_the_next_key_is_an_error() {
    let repo = TestRepo::with_notes();
    mkfifo(&repo, "alice/key.next");
    let mut failures = Failures::default();
    for args in [&["put", "com.example.note/a"][..], &["key", "rotate"], &["ls"], &["verify"]] {
        ends(repo.pds(args.iter().copied()).stdin("{}"), &format!("{args:?}"), &mut failures);
    }
    failures.assert_none();
}

#[test]
fn a_fifo_in_place_of_a_blob_is_an_error() {
    let (repo, cid) = with_blob();
    mkfifo(&repo, &format!("alice/blobs/{}/{cid}", &cid[..2]));
    let mut failures = Failures::default();
    for args in [&["blob", "get", &cid][..], &["blob", "check"], &["verify", "--blobs"]] {
        fails(repo.pds(args.iter().copied()), &format!("{args:?}"), &mut failures);
    }
    let put = ["put", "com.example.note/other"];
    let record = repo.pds(["get", "com.example.note/file"]).ok();
    ends(repo.pds(put).stdin(record), "put", &mut failures);
    for args in [
        &["blob", "ls"][..],
        &["blob", "missing"],
        &["blob", "put", "-"],
        &["unpack", "out"],
        &["gc"],
        &["forget", "--yes", "com.example.note/file"],
    ] {
        let run = repo.pds(args.iter().copied()).stdin("the bytes of a blob");
        ends(run, &format!("{args:?}"), &mut failures);
    }
    failures.assert_none();
}

#[test]
fn a_fifo_in_place_of_the_database_is_an_error() {
    let repo = TestRepo::with_notes();
    let good = repo.export("good.car");
    repo.home.pds(["clone", "good.car", "bob"]).ended().done();
    mkfifo(&repo, "alice/pds.db");
    let mut failures = Failures::default();
    for args in [
        &["ls"][..],
        &["get", "com.example.note/a"],
        &["info"],
        &["log"],
        &["verify"],
        &["export"],
        &["put", "com.example.note/a"],
        &["import", &good],
        &["gc"],
        &["repair"],
        &["repair", "--from", &good],
    ] {
        fails(repo.pds(args.iter().copied()).stdin("{}"), &format!("{args:?}"), &mut failures);
    }
    for args in [&["import", "alice"][..], &["repair", "--from", "alice"]] {
        let run = repo.home.pds(["-R", "bob"].into_iter().chain(args.iter().copied()));
        fails(run, &format!("{args:?}"), &mut failures);
    }
    fails(repo.home.pds(["clone", "alice", "copy"]), "clone", &mut failures);
    failures.assert_none();
}

#[test]
fn a_fifo_in_place_of_the_write_ahead_log_is_an_error() {
    for name in ["alice/pds.db-wal", "alice/pds.db-shm"] {
        let repo = TestRepo::with_notes();
        mkfifo(&repo, name);
        let mut failures = Failures::default();
        for args in [&["ls"][..], &["verify"], &["put", "com.example.note/a"], &["repair"]] {
            let what = format!("{name} {args:?}");
            ends(repo.pds(args.iter().copied()).stdin("{}"), &what, &mut failures);
        }
        failures.assert_none();
    }
}

#[test]
fn a_fifo_with_a_writer_is_read_as_a_stream() {
    let repo = TestRepo::with_notes();
    let good = repo.export("good.car");
    let record = repo.home.write("record.json", "{\"text\":\"piped\"}");
    for (args, from) in [
        ("-R alice put com.example.note/a fifo.car", &record),
        ("-R alice blob put fifo.car", &record),
        ("-R alice import fifo.car --allow-older", &good),
        ("-R alice merge fifo.car", &good),
        ("-R alice diff fifo.car HEAD", &good),
        ("verify fifo.car", &good),
        ("-R fifo.car ls", &good),
        ("clone fifo.car copy", &good),
        ("recover fifo.car", &good),
    ] {
        mkfifo(&repo, "fifo.car");
        let writer = format!("timeout 9 sh -c 'cat {from} > fifo.car' > /dev/null 2>&1");
        // The writer comes first here, and later in the second line.
        for line in [
            format!("{writer} & exec pds {args} > out"),
            format!("sleep 0.2 && {writer} & exec pds {args} > out"),
        ] {
            drop(fs::remove_dir_all(repo.home.path("copy")));
            let ended = repo.home.sh(&line).ended();
            assert!(matches!(ended.code(), 0 | 1), "{line}: {}", said(&ended));
            assert!(!ended.stderr.contains("error"), "{line}: {}", said(&ended));
        }
    }
    repo.assert_whole();
}
