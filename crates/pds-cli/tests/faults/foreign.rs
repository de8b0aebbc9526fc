//! Databases of unknown origin: triggers that undo writes, views without an end, other tables, and
//! versions that no release has.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::{Failures, copy_within, duplicate, read_note, said, sql};
use crate::common::{Ended, Run, TestRepo};

const TABLES: [&str; 3] = ["refs", "log", "blocks"];

/// A quarter of what a verb may take.
const TIME: Duration = Duration::from_secs(5);

/// A repository at `alice` that could take in the one at `evil`, which has one more record.
pub(crate) fn prepared() -> TestRepo {
    let repo = TestRepo::with_notes();
    copy_within(&repo.home, "alice", "evil");
    evil(&repo, &["put", "com.example.note/more"]).ended().done();
    repo
}

/// The binary on the repository at `evil`.
pub(crate) fn evil(repo: &TestRepo, args: &[&str]) -> Run {
    let args = ["-R", "evil"].into_iter().chain(args.iter().copied());
    repo.home.pds(args.map(str::to_owned)).stdin("{\"text\":\"new\"}")
}

/// Each verb that reads the repository at `evil`, or writes to it.
fn on_evil(repo: &TestRepo) -> Vec<(String, Run)> {
    let verbs: [&[&str]; 12] = [
        &["ls"],
        &["get", "com.example.note/a"],
        &["log"],
        &["info"],
        &["ref", "ls"],
        &["export", "-o", "/dev/null", "--force"],
        &["put", "com.example.note/new"],
        &["rm", "com.example.note/a"],
        &["gc"],
        &["verify"],
        &["repair"],
        &["repair", "--here"],
    ];
    verbs.iter().map(|args| (format!("{args:?}"), evil(repo, args))).collect()
}

/// Each verb that takes in the repository at `evil`.
fn from_evil(repo: &TestRepo) -> Vec<(String, Run)> {
    let verbs: [&[&str]; 5] = [
        &["-R", "alice", "import", "evil"],
        &["-R", "alice", "merge", "evil"],
        &["-R", "alice", "repair", "--from", "evil"],
        &["-R", "alice", "diff", "HEAD", "evil"],
        &["clone", "evil", "copy"],
    ];
    let run = |args: &&[&str]| repo.home.pds(args.iter().map(|arg| (*arg).to_owned()));
    verbs.iter().map(|args| (format!("{args:?}"), run(args))).collect()
}

fn columns(sql: &Connection, table: &str) -> Vec<String> {
    let mut columns = sql.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
    columns.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// The column that a row of a table is found by.
pub(super) fn key(sql: &Connection, table: &str) -> String {
    let key = "SELECT name FROM pragma_table_info(?1) WHERE pk = 1";
    sql.query_row(key, [table], |row| row.get(0)).unwrap_or_else(|_| "rowid".to_owned())
}

pub(crate) fn tables(sql: &Connection) -> Vec<String> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut tables = sql.prepare(tables).unwrap();
    tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// A trigger that puts `HEAD` back to where it is now.
fn move_back(sql: &Connection, event: &str) -> String {
    let columns = columns(sql, "refs");
    let quoted: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
    let row = format!("SELECT {} FROM refs WHERE name = 'HEAD'", quoted.join(", "));
    let values: Vec<String> =
        sql.query_row(&row, [], |row| (0..columns.len()).map(|n| row.get(n)).collect()).unwrap();
    let set: Vec<String> = columns
        .iter()
        .zip(values)
        .map(|(column, value)| format!("\"{column}\" = {value}"))
        .collect();
    format!(
        "CREATE TRIGGER evil AFTER {event} ON refs WHEN NEW.name = 'HEAD' BEGIN \
         UPDATE refs SET {} WHERE name = 'HEAD'; END",
        set.join(", ")
    )
}

/// Triggers that undo writes, each under a name.
fn triggers(sql: &Connection) -> Vec<(String, String)> {
    let mut triggers: Vec<(String, String)> = ["INSERT", "UPDATE"]
        .map(|event| (format!("refs move back after {event}"), move_back(sql, event)))
        .into();
    for table in TABLES {
        let key = key(sql, table);
        let deleted = format!(
            "CREATE TRIGGER evil AFTER INSERT ON {table} BEGIN \
             DELETE FROM {table} WHERE {key} = NEW.{key}; END"
        );
        triggers.push((format!("rows of {table} are deleted"), deleted));
        let ignored =
            format!("CREATE TRIGGER evil BEFORE INSERT ON {table} BEGIN SELECT RAISE(IGNORE); END");
        triggers.push((format!("rows of {table} are ignored"), ignored));
    }
    triggers
}

/// Replaces a table by a view that has no end.
pub(crate) fn endless(sql: &Connection, table: &str) {
    let columns: Vec<String> =
        columns(sql, table).iter().map(|column| format!("hidden.\"{column}\"")).collect();
    let line = format!(
        "ALTER TABLE {table} RENAME TO hidden;
         CREATE VIEW {table} AS
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
         SELECT {} FROM n, hidden WHERE n.i < 0;",
        columns.join(", ")
    );
    sql.execute_batch(&line).unwrap();
}

fn is_reported(ended: &Ended) -> bool {
    matches!(ended.code(), 1 | 3) && !ended.text().starts_with("ok")
}

/// Checks that `verify` and `repair` of the repository at `evil` report something.
fn check_reported(repo: &TestRepo, what: &str, failures: &mut Failures) {
    for args in [&["verify"][..], &["repair"]] {
        let ended = evil(repo, args).ended();
        failures.check(is_reported(&ended), || format!("{what}: {args:?} {}", said(&ended)));
    }
}

#[test]
fn a_trigger_undoes_no_acknowledged_write_and_is_reported() {
    let repo = prepared();
    let triggers = triggers(&sql(&repo.home, "evil"));
    let mut failures = Failures::default();
    for (what, trigger) in triggers {
        let repo = duplicate(&repo);
        sql(&repo.home, "evil").execute_batch(&trigger).unwrap();
        check_reported(&repo, &what, &mut failures);
        for (verb, run) in from_evil(&repo) {
            let ended = run.ended();
            let is_done = matches!(ended.code(), 0 | 1 | 3);
            failures.check(is_done, || format!("{what}: {verb} {}", said(&ended)));
        }
        repo.assert_whole();
        let log = evil(&repo, &["log"]).ended().text().lines().count();
        let put = evil(&repo, &["put", "com.example.note/new"]).ended();
        if put.code() == 0 {
            let new = evil(&repo, &["get", "com.example.note/new"]).ended();
            failures.check(new.code() == 0, || format!("{what}: put is done, get {}", said(&new)));
            let lines = evil(&repo, &["log"]).ended().text().lines().count();
            let is_logged = lines == log + 1;
            failures.check(is_logged, || format!("{what}: put is done, the log has {lines} lines"));
        }
        let repair = evil(&repo, &["repair", "--here"]).ended();
        if matches!(repair.code(), 0 | 6) {
            for args in [
                &["put", "com.example.note/later"][..],
                &["get", "com.example.note/later"],
                &["verify"],
                &["repair"],
            ] {
                let ended = evil(&repo, args).ended();
                let is_fine = ended.code() == 0;
                failures.check(is_fine, || format!("{what}: repaired, {args:?} {}", said(&ended)));
            }
        }
    }
    failures.assert_none();
}

#[test]
fn a_view_without_an_end_ends_every_verb_in_time_with_an_error() {
    let mut failures = Failures::default();
    for table in TABLES {
        let repo = prepared();
        endless(&sql(&repo.home, "evil"), table);
        // The last of them mends it.
        let all: Vec<(String, Run)> = from_evil(&repo).into_iter().chain(on_evil(&repo)).collect();
        for (verb, run) in all {
            let what = format!("{table} without an end: {verb}");
            let Some(ended) = run.ended_within(TIME) else {
                failures.check(false, || format!("{what} still runs after {TIME:?}"));
                continue;
            };
            // Only a repair can go around it.
            let is_error =
                ended.code() != 0 && !(ended.stderr.is_empty() && ended.stdout.is_empty());
            let is_error = is_error || verb.contains("repair");
            failures.check(is_error, || format!("{what} {}", said(&ended)));
        }
        repo.assert_whole();
    }
    failures.assert_none();
}

#[test]
fn another_schema_is_reported() {
    let repo = prepared();
    let tables = tables(&sql(&repo.home, "evil"));
    assert!(TABLES.iter().all(|table| tables.iter().any(|known| known == table)), "{tables:?}");
    let mut changes = vec![
        "CREATE TABLE extra (x)".to_owned(),
        "CREATE VIEW extra AS SELECT 1".to_owned(),
        "CREATE INDEX extra ON refs (cid)".to_owned(),
    ];
    for table in &tables {
        changes.push(format!("DROP TABLE {table}"));
        changes.push(format!("ALTER TABLE {table} ADD COLUMN extra TEXT"));
        changes.push(declared(table, "NOT NULL", ""));
        changes.push(declared(table, "STRICT", ""));
        changes.push(declared(table, "PRIMARY KEY", ""));
    }
    let mut failures = Failures::default();
    for change in changes {
        let repo = duplicate(&repo);
        let sql = sql(&repo.home, "evil");
        let schema = |sql: &Connection| -> String {
            let schema = "SELECT group_concat(sql) FROM sqlite_schema";
            sql.query_row(schema, [], |row| row.get(0)).unwrap()
        };
        let before = schema(&sql);
        sql.execute_batch(&change).unwrap();
        let is_changed = schema(&sql) != before;
        drop(sql);
        // Not every declaration has every word.
        if is_changed {
            let change = change.replace("PRAGMA writable_schema = ON; ", "");
            check_reported(&repo, &change, &mut failures);
        }
    }
    failures.assert_none();
}

/// Changes a word in the declaration of a table.
fn declared(table: &str, word: &str, other: &str) -> String {
    format!(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '{word}', \
         '{other}') WHERE name = '{table}'"
    )
}

#[test]
fn a_version_that_no_release_has_is_damage() {
    let repo = prepared();
    let version: i64 =
        sql(&repo.home, "evil").pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let set = |repo: &TestRepo, version: i64| {
        let value = Value::Integer(version);
        sql(&repo.home, "evil").pragma_update(None, "user_version", value).unwrap();
    };
    let mut failures = Failures::default();
    let flipped = (8..31).step_by(3).map(|bit| version ^ 1 << bit);
    for implausible in flipped.chain([0x7f00_0001, -1, -version]) {
        let repo = duplicate(&repo);
        set(&repo, implausible);
        for args in [&["verify"][..], &["ls"], &["put", "com.example.note/new"], &["repair"]] {
            let ended = evil(&repo, args).ended();
            let what = || format!("version {implausible:#x}: {args:?} {}", said(&ended));
            let is_damage = match args[0] {
                "verify" | "repair" => is_reported(&ended),
                _ => ended.code() == 3,
            };
            failures.check(is_damage, what);
            let text = ended.text() + &ended.stderr;
            failures.check(!text.contains("later release"), what);
        }
        let repair = evil(&repo, &["repair", "--here"]).ended();
        let is_done = matches!(repair.code(), 0 | 6);
        failures.check(is_done, || format!("version {implausible:#x}: {}", said(&repair)));
    }
    for plausible in [version + 1, version + 2] {
        set(&repo, plausible);
        for args in [&["verify"][..], &["ls"], &["put", "com.example.note/new"], &["repair"]] {
            let ended = evil(&repo, args).ended();
            let is_later = ended.code() == 3 && ended.stderr.contains("later release");
            failures.check(is_later, || format!("version {plausible}: {args:?} {}", said(&ended)));
        }
    }
    assert_eq!(read_note(&repo, "a").as_deref(), Ok("a"));
    failures.assert_none();
}
