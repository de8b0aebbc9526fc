//! Tests of files whose schema differs from that of the format.

use std::ops::ControlFlow;

use super::*;
use crate::error::StoreError;
use crate::fact::FactKind;
use crate::log::LogQuery;
use crate::sqlite::store::SqliteStore;
use crate::store::CheckDepth;
use crate::sweep::Sweep;

/// Statements that change the schema, and the object that is reported.
const HARMS: [(&str, &str); 18] = [
    ("CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM refs; END", "trigger \"t\""),
    ("CREATE TRIGGER t BEFORE UPDATE ON state BEGIN DELETE FROM refs; END", "trigger \"t\""),
    ("CREATE TRIGGER t AFTER INSERT ON blocks BEGIN DELETE FROM refs; END", "trigger \"t\""),
    ("CREATE TABLE more (x)", "table \"more\""),
    ("CREATE INDEX more ON log (event)", "index \"more\""),
    ("CREATE UNIQUE INDEX more ON blocks (cid)", "index \"more\""),
    // SQLite finds the table of an index regardless of the case of its name.
    (
        "CREATE INDEX more ON log (event); PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET tbl_name = 'LOG' WHERE name = 'more'",
        "index \"more\"",
    ),
    ("CREATE VIEW more AS SELECT * FROM log", "view \"more\""),
    ("DROP TABLE facts", "table facts is missing"),
    ("DROP TABLE state", "table state is missing"),
    ("DROP INDEX log_start", "index log_start is missing"),
    ("ALTER TABLE facts ADD COLUMN more TEXT", "table facts differs from the format"),
    (
        "ALTER TABLE refs ADD COLUMN more TEXT AS (upper(name)) VIRTUAL",
        "table refs differs from the format",
    ),
    (
        "DROP TABLE facts; CREATE TABLE facts (kind TEXT, subject TEXT, value TEXT, sum ANY,
         PRIMARY KEY (kind, subject)) STRICT",
        "table facts differs from the format",
    ),
    (
        "DROP TABLE refs; CREATE VIEW refs (name, cid, seq, sum) AS WITH RECURSIVE
         n (name, cid, seq, sum) AS (SELECT 'a', 'b', 1, 1 UNION ALL
         SELECT name, cid, seq + 1, sum FROM n) SELECT * FROM n",
        "view refs differs from the format",
    ),
    (
        "DROP TABLE log; CREATE VIEW log AS WITH RECURSIVE n (seq) AS
         (SELECT 1 UNION ALL SELECT seq + 1 FROM n) SELECT seq, 'HEAD' AS ref, NULL AS before,
         NULL AS after, 1 AS at_micros, 'set' AS event, NULL AS other, NULL AS old_key,
         NULL AS key, '' AS message, 1 AS sum FROM n",
        "view log differs from the format",
    ),
    (
        "DROP TABLE blocks; CREATE VIEW blocks AS WITH RECURSIVE n (id) AS
         (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, x'00' AS cid, x'00' AS bytes FROM n",
        "view blocks differs from the format",
    ),
    (
        "DROP TABLE state; CREATE VIEW state AS WITH RECURSIVE n (id) AS
         (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT 1 AS id, 0 AS change, 0 AS sweep, 0 AS placed,
         0 AS refs, count(*) AS sum FROM n",
        "view state differs from the format",
    ),
];

/// Runs every operation of a store. The results may be errors.
fn use_all(store: &SqliteStore) {
    let _ = store.get(&block(1).cid());
    let _ = store.get(&block(1_000).cid());
    if let Ok(view) = store.view() {
        let _ = view.refs();
        let _ = view.log(&LogQuery::newest_first(), &mut |_| ControlFlow::Continue(()));
        let _ = view.facts(FactKind::Account, &mut |_| ControlFlow::Continue(()));
        let _ = view.get(&block(2).cid());
    }
    let _ = store.scan_raw(&mut |_, _| ControlFlow::Continue(()));
    let _ = store.block_count();
    let _ = change(store, [block(30)], Some(block(30).cid()));
    if let Ok(view) = store.view() {
        let _ = store.collect(Sweep::new(view.version(), &|_| true).dry_run(true));
    }
}

#[test]
fn a_schema_that_differs_from_the_format_is_reported_and_does_no_harm() {
    for (harm, reported) in HARMS {
        bounded(harm, move || {
            let dir = tempfile::tempdir().unwrap();
            let [path, to] = ["pds.db", "to.db"].map(|name| dir.path().join(name));
            let store = SqliteStore::create(&path).unwrap();
            apply(&store, 0..10);
            assert_eq!(store.check(CheckDepth::Present).unwrap(), Vec::<String>::new());
            drop(store);
            Connection::open(&path).unwrap().execute_batch(harm).unwrap();

            let found = SqliteStore::check_file(&path).unwrap().join("; ");
            assert!(found.contains(reported), "{harm}: {found}");
            let runs_no_code = ["TRIGGER", "TABLE more", "VIEW more"];
            if runs_no_code.iter().any(|what| harm.starts_with(&format!("CREATE {what}"))) {
                let store = SqliteStore::open(&path).unwrap();
                for depth in [CheckDepth::Present, CheckDepth::Whole] {
                    let found = store.check(depth).unwrap().join("; ");
                    assert!(found.contains(reported), "{harm}: {found}");
                }
                use_all(&store);
                assert_eq!(head(&store), Some(block(30).cid()), "{harm}");
                let refs: i64 = Connection::open(&path)
                    .unwrap()
                    .query_row("SELECT count(*) FROM refs", [], |row| row.get(0))
                    .unwrap();
                assert_eq!(refs, 1, "{harm}");
            } else {
                let refused = SqliteStore::open(&path).map(drop);
                assert!(matches!(refused, Err(StoreError::Damaged(_))), "{harm}: {refused:?}");
            }
            match SqliteStore::salvage(&path, &to) {
                Ok(_) => {
                    let found = SqliteStore::check_file(&to).unwrap();
                    assert_eq!(found, Vec::<String>::new(), "{harm}");
                }
                Err(StoreError::NotAStore(_)) => assert!(harm.contains("VIEW blocks"), "{harm}"),
                Err(other) => panic!("{harm}: {other:?}"),
            }
        });
    }
}

/// A condition that takes longer than any test: each `instr` compares a long text with every part of another.
/// That is one step of SQLite's machine, so the bound on the effort of queries does not end it.
fn endless() -> String {
    let searches = (0..200)
        .map(|n| format!("instr(hex(zeroblob({})), hex(zeroblob(200000)) || 1) = 0", 400_000 + n));
    searches.collect::<Vec<_>>().join(" AND ")
}

/// Statements that put the condition where the checks of SQLite evaluate it, and the object that is reported.
const ENDLESS_HARMS: [(&str, &str); 4] = [
    (
        "CREATE TABLE more (x ANY) STRICT; INSERT INTO more VALUES (1);
         UPDATE sqlite_schema SET sql = 'CREATE TABLE more (x ANY, CHECK (?)) STRICT' WHERE name = 'more'",
        "table \"more\"",
    ),
    (
        "UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ', CHECK (?)) STRICT')
         WHERE name = 'refs'",
        "table refs differs from the format",
    ),
    (
        "UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ', CHECK (?)) STRICT')
         WHERE name = 'log'",
        "table log differs from the format",
    ),
    (
        "CREATE INDEX more ON refs (seq);
         UPDATE sqlite_schema SET sql = 'CREATE INDEX more ON refs (?)' WHERE name = 'more'",
        "index \"more\"",
    ),
];

#[test]
fn a_check_of_a_schema_that_would_take_for_ever_comes_back() {
    for (harm, reported) in ENDLESS_HARMS {
        bounded(harm, move || {
            let dir = tempfile::tempdir().unwrap();
            let [path, to] = ["pds.db", "to.db"].map(|name| dir.path().join(name));
            // The store is opened before the file is changed, because a file with another schema may be refused.
            let store = SqliteStore::create(&path).unwrap();
            apply(&store, 0..10);
            let harm = format!("PRAGMA writable_schema = ON; {}", harm.replace('?', &endless()));
            Connection::open(&path).unwrap().execute_batch(&harm).unwrap();

            for depth in [CheckDepth::Present, CheckDepth::Whole] {
                let found = store.check(depth).unwrap().join("; ");
                assert!(found.contains(reported), "{harm}: {found}");
            }
            drop(store);
            let found = SqliteStore::check_file(&path).unwrap().join("; ");
            assert!(found.contains(reported), "{harm}: {found}");
            let salvaged = SqliteStore::salvage(&path, &to).unwrap();
            assert_eq!((salvaged.sound, salvaged.refs, salvaged.moves), (10, 1, 1), "{harm}");
            assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{harm}");
        });
    }
}
