//! Foreign databases with values of hundreds of megabytes: no verb reads them into memory.

use std::time::{Duration, Instant};

use pds::data::{Cid, Codec};
use rusqlite::Connection;

use super::foreign::{evil, key, prepared, tables};
use super::{Failures, duplicate, said, sql};
use crate::common::torture::amount;
use crate::common::{Run, TestRepo};

/// How much memory a verb may take.
const MEMORY_KIB: u64 = 200 << 10;

const TIME: Duration = Duration::from_secs(20);

/// Runs a verb within the limits on memory and time.
fn check(run: Run, what: &str, failures: &mut Failures) {
    let started = Instant::now();
    let Some(ended) = run.ended_within(TIME) else {
        return failures.check(false, || format!("{what}: still running after {TIME:?}"));
    };
    let (elapsed, mib) = (started.elapsed(), ended.peak_kib >> 10);
    let is_bounded = ended.peak_kib <= MEMORY_KIB;
    failures.check(is_bounded, || format!("{what}: {mib} MiB, {elapsed:.1?}, {}", said(&ended)));
    failures.check(ended.signal().is_none(), || format!("{what}: {}", said(&ended)));
}

/// The verbs that read the repository at `evil`, take it in, and write to it.
pub(crate) fn check_all(repo: &TestRepo, what: &str, failures: &mut Failures) {
    for args in [
        &["ls", "-l", "com.example.note"][..],
        &["get", "com.example.note/c"],
        &["log"],
        &["info"],
        &["export", "-o", "/dev/null", "--force"],
        &["verify"],
        &["repair"],
    ] {
        check(evil(repo, args), &format!("{what}: {args:?}"), failures);
    }
    for args in [
        &["-R", "alice", "import", "evil"][..],
        &["-R", "alice", "merge", "evil"],
        &["-R", "alice", "repair", "--from", "evil"],
        &["clone", "evil", "copy"],
    ] {
        let run = repo.home.pds(args.iter().map(|arg| (*arg).to_owned()));
        check(run, &format!("{what}: {args:?}"), failures);
    }
    for args in [&["put", "com.example.note/c"][..], &["gc"], &["repair", "--here"]] {
        check(evil(repo, args), &format!("{what}: {args:?}"), failures);
    }
    repo.assert_whole();
}

/// Opens the database at `evil` for a large change that need not be safe.
pub(crate) fn open(repo: &TestRepo) -> Connection {
    let sql = sql(&repo.home, "evil");
    let settings = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
                    PRAGMA ignore_check_constraints = ON";
    sql.execute_batch(settings).unwrap();
    sql
}

/// Gives a block other bytes: zeros, which take no memory here.
fn enlarge(repo: &TestRepo, cid: &Cid, bytes: u32) {
    let (sql, cid) = (open(repo), cid.as_bytes().as_slice());
    sql.execute("DELETE FROM blocks WHERE cid = ?1", [cid]).unwrap();
    let row = "INSERT INTO blocks (cid, bytes) VALUES (?1, zeroblob(?2))";
    assert_eq!(sql.execute(row, (cid, bytes)).unwrap(), 1);
}

#[test]
fn a_row_of_900_megabytes_takes_no_memory() {
    let repo = prepared();
    enlarge(&repo, &Cid::of(Codec::Cbor, b"elsewhere"), 900_000_000);
    let mut failures = Failures::default();
    check_all(&repo, "a block that no state needs", &mut failures);
    failures.assert_none();
}

#[test]
fn a_large_row_in_place_of_a_block_of_the_state_takes_no_memory() {
    let mut failures = Failures::default();
    for kind in ["record", "root", "commit"] {
        let repo = prepared();
        let answer = |args: &[&str]| -> serde_json::Value {
            let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
            serde_json::from_str(&evil(&repo, &args).ok()).unwrap()
        };
        let cid = match kind {
            "record" => answer(&["get", "com.example.note/c"])["cid"].clone(),
            "root" => answer(&["info"])["data"].clone(),
            _ => answer(&["info"])["commit"].clone(),
        };
        enlarge(&repo, &cid.as_str().unwrap().parse().unwrap(), 250_000_000);
        check_all(&repo, kind, &mut failures);
    }
    failures.assert_none();
}

#[test]
fn a_text_of_hundreds_of_megabytes_takes_no_memory() {
    let mut failures = Failures::default();
    let text = "a".repeat(amount(250_000_000, 500_000_000));
    let sample = prepared();
    evil(&sample, &["ref", "set", "side", "HEAD"]).ok();
    let sql = sql(&sample.home, "evil");
    for table in tables(&sql) {
        let texts = "SELECT name FROM pragma_table_info(?1) WHERE type = 'TEXT'";
        let mut texts = sql.prepare(texts).unwrap();
        let texts = texts.query_map([&table], |row| row.get::<_, String>(0)).unwrap();
        for column in texts.map(Result::unwrap) {
            let (repo, key) = (duplicate(&sample), key(&sql, &table));
            // Of the refs that is `side`: `HEAD` comes first.
            let row = format!(
                "UPDATE {table} SET {column} = ?1 WHERE {key} = (SELECT max({key}) FROM {table})"
            );
            if open(&repo).execute(&row, [&text]).unwrap() == 1 {
                check_all(&repo, &format!("{table}.{column}"), &mut failures);
            }
        }
    }
    failures.assert_none();
}
