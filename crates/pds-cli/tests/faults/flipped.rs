//! Flipped bits in the rows of refs and of the log, and rows that are gone: `verify` reports them,
//! and `repair` invents nothing.

use std::fs;
use std::ops::Range;

use pds::data::Cid;
use rusqlite::Connection;
use serde_json::Value;

use super::{Failures, duplicate, said, sql};
use crate::common::TestRepo;

/// Notes by several commits, and a second ref.
fn prepared() -> TestRepo {
    let repo = TestRepo::with_notes();
    repo.pds(["ref", "set", "side", "HEAD~1"]).ok();
    repo.put("d", "d");
    repo
}

/// A variable-length integer of the file format of SQLite: its value and the place after it.
fn varint(file: &[u8], mut at: usize) -> (usize, usize) {
    let mut value = 0;
    loop {
        let byte = file[at];
        at += 1;
        value = value << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return (value, at);
        }
    }
}

/// The places of the rows in the trees of a table that a query finds; each tree must be one page.
fn rows(sql: &Connection, file: &[u8], roots: &str, table: &str) -> Vec<Range<usize>> {
    let page_bytes: u32 = sql.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    let mut roots = sql.prepare(roots).unwrap();
    let roots = roots.query_map([table], |row| row.get::<_, u32>(0)).unwrap();
    let mut rows = Vec::new();
    for page in roots.map(|root| (root.unwrap() - 1) * page_bytes) {
        let page = page as usize;
        let number = |at: usize| usize::from(u16::from_be_bytes([file[at], file[at + 1]]));
        let is_table = match file[page] {
            13 => true,
            10 => false,
            other => panic!("{table} is not one page: {other}"),
        };
        for n in 0..number(page + 3) {
            let (len, row) = varint(file, page + number(page + 8 + 2 * n));
            // A row of a table begins with its number.
            let start = if is_table { varint(file, row).1 } else { row };
            rows.push(row..start + len);
        }
    }
    assert!(!rows.is_empty(), "no rows in {table}");
    rows
}

fn rows_of_refs(repo: &TestRepo, file: &[u8]) -> Vec<Range<usize>> {
    let roots = "SELECT rootpage FROM sqlite_schema WHERE tbl_name = ?1 AND rootpage > 0";
    rows(&sql(&repo.home, "alice"), file, roots, "refs")
}

fn rows_of_log(repo: &TestRepo, file: &[u8]) -> Vec<Range<usize>> {
    let roots = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    rows(&sql(&repo.home, "alice"), file, roots, "log")
}

fn places_of(file: &[u8], rows: &[Range<usize>], bytes: &[u8]) -> Vec<usize> {
    let is_there = |at: &usize| file[*at..].starts_with(bytes);
    rows.iter().flat_map(|row| row.clone().filter(is_there)).collect()
}

/// Flips bits of one byte of the database in a copy of the repository.
fn flipped(repo: &TestRepo, file: &[u8], at: usize, bits: u8) -> TestRepo {
    let (copy, mut file) = (duplicate(repo), file.to_vec());
    file[at] ^= bits;
    copy.home.write("alice/pds.db", file);
    copy
}

fn refs(repo: &TestRepo) -> Vec<Value> {
    let lines = repo.pds(["ref", "ls", "--json"]).ended().text();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The check that reads the log.
const WITH_LOG: [&str; 2] = ["verify", "--history"];

/// Checks that a check and `repair` report something.
fn check_reported(repo: &TestRepo, verify: &[&str], what: &str, failures: &mut Failures) {
    let verify = repo.pds(verify.iter().copied()).ended();
    let is_reported = matches!(verify.code(), 1 | 3);
    failures.check(is_reported, || format!("{what}: verify {}", said(&verify)));
    let survey = repo.pds(["repair"]).ended();
    let is_reported = matches!(survey.code(), 1 | 3 | 6);
    failures.check(is_reported, || format!("{what}: repair {}", said(&survey)));
}

/// Checks that a repair leaves the refs of before, a log without some bytes, and a repository with
/// which every verb works.
fn check_repaired(
    repo: &TestRepo,
    before: &[Value],
    bogus: &[u8],
    what: &str,
    failures: &mut Failures,
) {
    let repair = repo.pds(["repair", "--here"]).ended();
    let is_done = matches!(repair.code(), 0 | 6);
    failures.check(is_done, || format!("{what}: repair --here {}", said(&repair)));
    let after = refs(repo);
    failures.check(after == before, || format!("{what}: refs after the repair: {after:?}"));
    // A connection that closes moves the write-ahead log into the file.
    let file = fs::read(repo.home.dir().join("alice/pds.db")).unwrap();
    if !bogus.is_empty() && is_done {
        let found = places_of(&file, &rows_of_log(repo, &file), bogus).len();
        failures.check(found == 0, || format!("{what}: the log has it after the repair"));
    }
    for args in [&["verify", "--history"][..], &["gc"], &["repair"], &["verify"]] {
        let ended = repo.pds(args.iter().copied()).ended();
        failures.check(ended.code() == 0, || {
            format!("{what}: {args:?} after the repair {}", said(&ended))
        });
    }
}

#[test]
fn a_flipped_bit_in_the_name_of_a_ref_makes_no_other_ref() {
    let repo = prepared();
    let (before, file) = (refs(&repo), repo.home.read("alice/pds.db"));
    let mut failures = Failures::default();
    for name in ["HEAD", "side"] {
        let places = places_of(&file, &rows_of_refs(&repo, &file), name.as_bytes());
        assert!(!places.is_empty(), "no {name} in the rows of refs");
        for place in places {
            for (char, bits) in [(0, 1), (1, 0x20), (2, 0x80), (3, 1)] {
                let repo = flipped(&repo, &file, place + char, bits);
                let mut bogus = name.as_bytes().to_vec();
                bogus[char] ^= bits;
                let what = format!("{name} as {:?} at {place}", String::from_utf8_lossy(&bogus));
                check_reported(&repo, &["verify"], &what, &mut failures);
                check_repaired(&repo, &before, &bogus, &what, &mut failures);
            }
        }
    }
    failures.assert_none();
}

#[test]
fn a_flipped_bit_in_the_cid_of_a_ref_does_not_get_into_the_log() {
    let repo = prepared();
    let (before, file) = (refs(&repo), repo.home.read("alice/pds.db"));
    let rows = rows_of_refs(&repo, &file);
    let mut failures = Failures::default();
    for row in &before {
        let (name, text) = (row["name"].as_str().unwrap(), row["cid"].as_str().unwrap());
        let binary = text.parse::<Cid>().unwrap().as_bytes().to_vec();
        let forms = [text.as_bytes().to_vec(), binary];
        let is_in_refs = |form: &&Vec<u8>| !places_of(&file, &rows, form).is_empty();
        let stored = forms.iter().find(is_in_refs).expect("the CID is in refs in some form");
        for place in places_of(&file, &rows, stored) {
            for (part, bits) in [(0, 1), (1, 1), (2, 0x10), (3, 1), (3, 0x10), (4, 1)] {
                let within = part * (stored.len() - 1) / 4;
                let repo = flipped(&repo, &file, place + within, bits);
                let mut bogus = stored.clone();
                bogus[within] ^= bits;
                let what = format!("{name}, byte {within} of the CID, bits {bits:#x}");
                check_reported(&repo, &["verify"], &what, &mut failures);
                check_repaired(&repo, &before, &bogus, &what, &mut failures);
            }
        }
    }
    failures.assert_none();
}

#[test]
fn a_flipped_bit_in_any_row_of_the_log_is_reported() {
    let repo = prepared();
    let (before, file) = (refs(&repo), repo.home.read("alice/pds.db"));
    let mut failures = Failures::default();
    for (number, row) in rows_of_log(&repo, &file).into_iter().enumerate() {
        for (n, at) in row.clone().enumerate() {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (n % 8);
            repo.home.write("alice/pds.db", damaged);
            let verify = repo.pds(WITH_LOG).ended();
            failures.check(matches!(verify.code(), 1 | 3), || {
                format!("byte {n} of {} of row {number}: verify {}", row.len(), said(&verify))
            });
        }
    }
    // What a repair makes of it, at some of these places.
    repo.home.write("alice/pds.db", &file);
    for (number, row) in rows_of_log(&repo, &file).into_iter().enumerate() {
        for at in row.clone().skip(7).step_by(29) {
            let repo = flipped(&repo, &file, at, 1);
            let what = format!("byte {} of row {number}", at - row.start);
            check_repaired(&repo, &before, &[], &what, &mut failures);
        }
    }
    failures.assert_none();
}

#[test]
fn a_row_that_is_gone_from_the_middle_of_the_log_is_reported() {
    let repo = prepared();
    let before = refs(&repo);
    let mut failures = Failures::default();
    for offset in 1..4 {
        let repo = duplicate(&repo);
        let gone = "DELETE FROM log WHERE rowid = \
                    (SELECT rowid FROM log ORDER BY rowid LIMIT 1 OFFSET ?1)";
        assert_eq!(sql(&repo.home, "alice").execute(gone, [offset]).unwrap(), 1);
        let what = format!("without row {offset} of the log");
        check_reported(&repo, &WITH_LOG, &what, &mut failures);
        check_repaired(&repo, &before, &[], &what, &mut failures);
    }
    failures.assert_none();
}

#[test]
fn a_key_whose_row_has_another_number_is_damage() {
    let repo = TestRepo::with_notes();
    let key = repo.pds(["key", "show"]).ok();
    let moved = "UPDATE facts SET id = id + 1 WHERE kind = 'key'";
    assert_eq!(sql(&repo.home, "alice").execute(moved, []).unwrap(), 1);
    for args in [&["key", "rotate"][..], &["put", "com.example.note/new"]] {
        let ended = repo.pds(args.iter().copied()).stdin("{}").ended();
        assert_eq!(ended.code(), 3, "{args:?}: {}", said(&ended));
    }
    let repaired = repo.pds(["repair", "--here"]).ended();
    assert!(matches!(repaired.code(), 0 | 6), "{}", said(&repaired));
    assert_eq!(repo.pds(["key", "show"]).ok(), key);
    repo.pds(["key", "rotate"]).ended().done();
    repo.put("after", "x");
    repo.pds(["verify", "--history"]).ok();
}
