//! Tests of damaged rows in the small tables.

use std::ops::ControlFlow;

use super::*;
use crate::change::Change;
use crate::error::StoreError;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::{LogEntry, LogQuery};
use crate::sqlite::rows::log::{LOG_COLUMNS, write_log};
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::rows::state::StateRow;
use crate::sqlite::salvage::saved::Salvaged;
use crate::sqlite::store::SqliteStore;
use crate::store::CheckDepth;
use pds_core::crypto::curve::Curve;
use pds_core::crypto::did_key::DidKey;
use pds_core::crypto::signing_key::SigningKey;
use pds_core::data::cid::Cid;

/// A store with all kinds of rows, and with a log in which each column is used at least once.
fn filled(path: &Path) -> SqliteStore {
    let store = SqliteStore::create(path).unwrap();
    let [old, new] = [Curve::K256, Curve::P256]
        .map(|curve| DidKey::from(&SigningKey::generate(curve).unwrap().public_key()));
    let set = |event: Event, name: &str, n: Option<u32>| {
        let target = n.map(|n| block(n).cid());
        let edit = RefEdit { name: name.parse().unwrap(), target, expect: Expect::Any };
        let blocks: Vec<_> = n.into_iter().map(|n| Ok(block(n))).collect();
        store.apply(Change::new(event).blocks(blocks).edit(edit).message("why")).unwrap();
    };
    set(Event::Init, "HEAD", Some(0));
    set(Event::Set, "gone", Some(0));
    set(Event::Rotate { old: old.clone(), new: new.clone() }, "HEAD", Some(1));
    set(Event::Set, "side", Some(1));
    set(Event::Merge { other: block(0).cid(), key: None }, "HEAD", Some(2));
    set(Event::Write, "side", Some(3));
    set(Event::Remove, "gone", None);
    let facts = [
        Fact::Account("did:web:example.com".parse().unwrap()),
        Fact::Key(new),
        Fact::EndedKey { until: "3jzfcijpj2z2a".parse().unwrap(), key: old },
        Fact::Loss(block(9).cid()),
    ];
    store.apply(Change::new(Event::Set).facts(facts.map(FactEdit::Set))).unwrap();
    store
}

/// Reads the whole content of a view, and returns the first error.
fn read_all(store: &SqliteStore) -> Result<(), StoreError> {
    let view = store.view()?;
    view.refs()?;
    view.log(&LogQuery::newest_first(), &mut |_| ControlFlow::Continue(()))?;
    for kind in FactKind::ALL {
        view.facts(kind, &mut |_| ControlFlow::Continue(()))?;
    }
    Ok(())
}

/// Returns the refs of a store, as names and commits.
fn refs(path: &Path) -> Vec<(String, Cid)> {
    let store = SqliteStore::open(path).unwrap();
    let refs = store.view().unwrap().refs().unwrap();
    refs.iter().map(|(name, cid)| (name.to_string(), *cid)).collect()
}

fn is_allowed(refs: &[(String, Cid)], at_most: &[(String, Cid)]) -> bool {
    refs.iter().all(|found| at_most.contains(found))
}

/// Damages a store, checks the errors of its readers and of `check_file`, and returns the errors
/// and the result of a salvage.
fn check_harm(dir: &Path, harm: &str, row: &str) -> (String, Salvaged) {
    let [path, to] = ["pds.db", "to.db"].map(|name| dir.join(name));
    for old in std::fs::read_dir(dir).unwrap() {
        std::fs::remove_file(old.unwrap().path()).unwrap();
    }
    let store = filled(&path);
    read_all(&store).unwrap();
    assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
    let before = refs(&path);
    let sql = Connection::open(&path).unwrap();
    assert_eq!(sql.execute(harm, []).unwrap(), 1, "{harm}");
    drop(sql);
    let said = match read_all(&store) {
        Err(error @ StoreError::Damaged(_)) => explained(&error),
        Err(other) => panic!("{harm}: {other:?}"),
        Ok(()) => String::new(),
    };
    let problems = SqliteStore::check_file(&path).unwrap();
    assert!(problems.iter().any(|problem| problem.contains(row)), "{harm}: {problems:?}");
    assert_eq!(store.check(CheckDepth::Whole).unwrap(), problems, "{harm}");
    drop(store);
    let salvaged = SqliteStore::salvage(&path, &to).unwrap();
    assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{harm}");
    read_all(&SqliteStore::open(&to).unwrap()).unwrap();
    let after = refs(&to);
    assert!(is_allowed(&after, &before), "{harm}: {after:?}, not {before:?}");
    assert_eq!(after.len() as u64, salvaged.refs, "{harm}");
    // No number is used twice.
    assert!(apply(&SqliteStore::open(&to).unwrap(), 50..51).version.change > 8, "{harm}");
    assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{harm}");
    (said, salvaged)
}

#[test]
fn a_changed_column_is_detected_in_a_row_of_refs() {
    let dir = tempfile::tempdir().unwrap();
    let head = "refs row HEAD";
    let harms = [
        ("name = 'HEAE'", "refs row HEAE"),
        ("cid = (SELECT cid FROM refs WHERE name = 'side')", head),
        ("cid = 'bafy'", head),
        ("seq = 4", head),
        ("seq = -1", head),
        ("sum = sum + 1", head),
        ("sum = 0", head),
    ];
    for (harm, row) in harms {
        let harm = format!("UPDATE refs SET {harm} WHERE name = 'HEAD'");
        let (said, salvaged) = check_harm(dir.path(), &harm, row);
        assert!(said.contains(row), "{harm}: {said}");
        // The log is complete, and records the commit of each ref.
        assert_eq!((salvaged.refs, salvaged.has_all_refs), (2, false), "{harm}");
        assert!(!salvaged.is_all && salvaged.has_all_moves && salvaged.has_all_facts, "{harm}");
    }
}

#[test]
fn a_changed_column_is_detected_in_a_row_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    for column in LOG_COLUMNS.split(", ") {
        for seq in [1, 3, 5, 7] {
            let value = match column {
                "seq" => "seq + 1000",
                "start" => "ifnull(start, 0) + 1",
                "at_micros" | "sum" => &*format!("{column} - 1"),
                "ref" => "'side'",
                "event" => "'reset'",
                "before" | "after" => "(SELECT cid FROM refs WHERE name = 'side')",
                "other" => "iif(other IS NULL, (SELECT cid FROM refs LIMIT 1), NULL)",
                "old_key" | "key" => {
                    &*format!("iif({column} IS NULL, (SELECT max(old_key) FROM log), NULL)")
                }
                _ => "'another'",
            };
            let harm = format!("UPDATE log SET {column} = {value} WHERE seq = {seq}");
            let row = format!("log row {}", if column == "seq" { seq + 1000 } else { seq });
            let (said, salvaged) = check_harm(dir.path(), &harm, &row);
            assert!(said.contains(&row), "{harm}: {said}");
            assert_eq!((salvaged.refs, salvaged.has_all_refs), (2, true), "{harm}");
            assert!(!salvaged.is_all && !salvaged.has_all_moves, "{harm}");
            assert_eq!((salvaged.moved.len(), salvaged.has_all_facts), (0, true), "{harm}");
        }
    }
}

#[test]
fn a_changed_column_is_detected_in_a_row_of_facts() {
    let dir = tempfile::tempdir().unwrap();
    for (harm, row) in [
        ("kind = 'erasing'", "facts row erasing"),
        ("kind = 'unknown'", "facts row unknown"),
        ("subject = 'x'", "facts row account x"),
        ("value = 'did:web:example.org'", "facts row account"),
        ("sum = sum - 1", "facts row account"),
    ] {
        let is_known = !harm.contains("unknown");
        let harm = format!("UPDATE facts SET {harm} WHERE kind = 'account'");
        let (said, salvaged) = check_harm(dir.path(), &harm, row);
        // Readers request only the kinds that exist.
        assert_eq!(said.contains(row), is_known, "{harm}: {said}");
        assert!(!salvaged.has_all_facts && salvaged.has_all_moves, "{harm}");
        assert!(salvaged.has_all_refs && !salvaged.is_all, "{harm}");
    }
}

#[test]
fn a_changed_column_is_detected_in_the_row_of_state() {
    let dir = tempfile::tempdir().unwrap();
    for column in "id, change, sweep, placed, refs, facts, sum".split(", ") {
        let harm = format!("UPDATE state SET {column} = {column} + 1");
        let (said, salvaged) = check_harm(dir.path(), &harm, "state row 1");
        assert!(said.contains("state row 1"), "{harm}: {said}");
        assert!(salvaged.has_all_moves && salvaged.has_all_facts, "{harm}");
        // The only row is valid, but it has another number.
        assert_eq!(salvaged.is_all, column == "id", "{harm}");
        assert_eq!((salvaged.refs, salvaged.moved.len()), (2, 0), "{harm}");
    }
}

#[test]
fn a_deleted_row_is_detected() {
    let dir = tempfile::tempdir().unwrap();
    // The damaged rows are the first, one in the middle, the last of HEAD and of `side`, and a removal.
    for (seq, finding) in [
        (1, "log row 3: rows of ref HEAD before it are missing"),
        (3, "log row 5: rows of ref HEAD before it are missing"),
        (5, "ref HEAD: log row 5 is missing"),
        (4, "log row 6: rows of ref side before it are missing"),
        (6, "ref side: log row 6 is missing"),
        (2, "log row 7: rows of ref gone before it are missing"),
    ] {
        let harm = format!("DELETE FROM log WHERE seq = {seq}");
        let (_, salvaged) = check_harm(dir.path(), &harm, finding);
        assert!(salvaged.has_all_refs && !salvaged.has_all_moves && !salvaged.is_all, "{harm}");
        assert_eq!((salvaged.refs, salvaged.moved.len()), (2, 0), "{harm}");
    }
    for name in ["HEAD", "side"] {
        let harm = format!("DELETE FROM refs WHERE name = '{name}'");
        let (_, salvaged) = check_harm(dir.path(), &harm, "refs: 1 rows instead of 2");
        // The complete log records the commit that the ref pointed to.
        assert_eq!((salvaged.refs, salvaged.has_all_refs), (2, false), "{harm}");
        assert_eq!(salvaged.moved.len(), 1, "{harm}");
    }
    let harm = "DELETE FROM facts WHERE kind = 'ended-key'";
    let (_, salvaged) = check_harm(dir.path(), harm, "facts: 3 rows instead of 4");
    assert!(!salvaged.has_all_facts && salvaged.has_all_refs && salvaged.has_all_moves);
    let (said, salvaged) = check_harm(dir.path(), "DELETE FROM state", "state row 1");
    assert!(said.contains("state row 1: it is missing"), "{said}");
    assert_eq!((salvaged.refs, salvaged.is_all), (2, false));
}

/// Rows that a writer of the format could have written, but that are not consistent.
#[test]
fn rows_with_right_checksums_must_be_consistent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(filled(&path));
    let whole = std::fs::read(&path).unwrap();
    let problems = |harm: &dyn Fn(&Connection)| {
        std::fs::write(&path, &whole).unwrap();
        harm(&Connection::open(&path).unwrap());
        SqliteStore::check_file(&path).unwrap().join("; ")
    };
    let entry = |seq, before: Option<u32>, after: Option<u32>| LogEntry {
        seq,
        name: RefName::head(),
        before: before.map(|n| block(n).cid()),
        after: after.map(|n| block(n).cid()),
        at_micros: 1,
        event: Event::Set,
        message: String::new(),
    };
    let row = |cid: u32, seq| RefRow { name: RefName::head(), cid: block(cid).cid(), seq };
    assert_eq!(problems(&|_| ()), "");
    let found = problems(&|sql| write_log(sql, &entry(5, Some(0), Some(2))).unwrap());
    assert_eq!(found, "log row 5: rows of ref HEAD before it are missing");
    let found = problems(&|sql| row(3, 9).write(sql).unwrap());
    assert_eq!(found, "ref HEAD: log row 9 is missing");
    let found = problems(&|sql| {
        StateRow { refs: 3, ..StateRow::read(sql).unwrap() }.write(sql).unwrap();
    });
    assert_eq!(found, "refs: 2 rows instead of 3");
    // This ref has no log row.
    let found = problems(&|sql| {
        let name = "more".parse().unwrap();
        RefRow { name, ..row(0, 1) }.write(sql).unwrap();
        StateRow { refs: 3, ..StateRow::read(sql).unwrap() }.write(sql).unwrap();
    });
    assert_eq!(found, "ref more: log row 1 is missing");
}

/// The numbers of rows are limited, so that the next number exists and is larger.
#[test]
fn an_impossible_number_is_damage_and_costs_no_row() {
    for seq in [-400, -1, i64::MAX - 1, i64::MAX] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pds.db");
        drop(filled(&path));
        let sql = Connection::open(&path).unwrap();
        let entry = LogEntry {
            seq: seq.cast_unsigned(),
            name: "far".parse().unwrap(),
            before: None,
            after: None,
            at_micros: 1,
            event: Event::Remove,
            message: String::new(),
        };
        write_log(&sql, &entry).unwrap();
        let count =
            || -> i64 { sql.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap() };
        let before = count();
        let store = SqliteStore::open(&path).unwrap();
        let edit =
            RefEdit { name: RefName::head(), target: Some(block(0).cid()), expect: Expect::Any };
        for _ in 0..2 {
            let rows = count();
            let moved = store.apply(Change::new(Event::Set).edit(edit.clone()));
            assert_eq!(count() - rows, i64::from(moved.is_ok()), "{seq}: {moved:?}");
        }
        assert!(count() >= before, "{seq}");
        // Reading the log must end.
        assert!(matches!(read_all(&store), Err(StoreError::Damaged(_))), "{seq}");
        assert!(!SqliteStore::check_file(&path).unwrap().is_empty(), "{seq}");
    }
}
