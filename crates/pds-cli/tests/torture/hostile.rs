//! Databases made by an attacker: every verb ends in time, with bounded memory, and another
//! repository stays as it is.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use rusqlite::Connection;

use crate::common::TestRepo;
use crate::common::torture::{amount, row};
use crate::faults::foreign::{endless, prepared, tables};
use crate::faults::oversized::{check_all, open};
use crate::faults::{Failures, duplicate, sql};

/// A change of the database at `evil`, under a name.
type Change = (String, Box<dyn Fn(&TestRepo)>);

/// A change by statements, which must all succeed.
fn by_sql(name: impl Into<String>, statements: impl Into<String>) -> Change {
    let statements = statements.into();
    let run = move |repo: &TestRepo| open(repo).execute_batch(&statements).unwrap();
    (name.into(), Box::new(run))
}

/// A change of the file.
fn by_bytes(name: &str, at: u64, bytes: &'static [u8], len: Option<u64>) -> Change {
    let change = move |repo: &TestRepo| {
        let file = OpenOptions::new().write(true).open(repo.home.path("evil/pds.db")).unwrap();
        file.write_all_at(bytes, at).unwrap();
        if let Some(len) = len {
            // The rest takes no room.
            file.set_len(len).unwrap();
        }
    };
    (name.to_owned(), Box::new(change))
}

/// Makes every change and all verbs, and fails if a limit is exceeded.
fn check(part: &str, changes: Vec<Change>) {
    let (sample, tried) = (prepared(), changes.len());
    let mut failures = Failures::default();
    for (name, change) in changes {
        let repo = duplicate(&sample);
        change(&repo);
        check_all(&repo, &name, &mut failures);
    }
    row(part, tried, &format!("{} verbs over 20 s or 200 MiB, or killed", failures.failed()));
    failures.assert_none();
}

/// Columns of a table with their declarations, as `CREATE TABLE` has them.
fn columns(sql: &Connection, table: &str) -> Vec<(String, String)> {
    let columns = "SELECT name, type || iif(pk = 1, ' PRIMARY KEY', '') FROM pragma_table_info(?1)";
    let mut columns = sql.prepare(columns).unwrap();
    let columns = columns.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    columns.map(Result::unwrap).collect()
}

/// One call of a function that takes many minutes.
const LONG: &str = "instr(zeroblob(5000000), CAST(zeroblob(2500000) || x'01' AS BLOB))";

/// Makes the last column of a table one that is computed for a very long time. The rows stay as they
/// are, so nothing is computed here.
fn computed(sql: &Connection, table: &str) -> String {
    let columns = columns(sql, table);
    let (last, stored) = columns.split_last().unwrap();
    let stored: Vec<String> =
        stored.iter().map(|(name, kind)| format!("\"{name}\" {kind}")).collect();
    let (name, _) = last;
    let column = format!("hidden, \"{name}\" AS (iif({LONG}, hidden, hidden))");
    let declared = format!("CREATE TABLE {table} ({}, {column})", stored.join(", "));
    format!(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = '{}' WHERE type = 'table' AND name = '{table}'",
        declared.replace('\'', "''")
    )
}

#[test]
fn tables_that_run_code() {
    let sample = prepared();
    let sql = sql(&sample.home, "evil");
    let mut changes: Vec<Change> = Vec::new();
    for table in tables(&sql) {
        let name = table.clone();
        changes.push((
            format!("a view without an end in place of {table}"),
            Box::new(move |repo| endless(&crate::faults::sql(&repo.home, "evil"), &name)),
        ));
        let trigger = format!(
            "CREATE TRIGGER evil AFTER INSERT ON {table} BEGIN
             INSERT INTO {table} SELECT * FROM {table}; SELECT {LONG}; END"
        );
        changes.push(by_sql(format!("a trigger on {table}"), trigger));
        if table != "places" {
            changes.push(by_sql(format!("computed columns of {table}"), computed(&sql, &table)));
        }
    }
    check("hostile: tables that run code", changes);
}

#[test]
fn tables_of_other_kinds() {
    let virtual_table = |table: &str, module: &str| {
        format!(
            "ALTER TABLE {table} RENAME TO old; PRAGMA writable_schema = ON;
             INSERT INTO sqlite_schema VALUES ('table', '{table}', '{table}', 0,
             'CREATE VIRTUAL TABLE {table} USING {module}')"
        )
    };
    let without_rowid = |table: &str| {
        format!(
            "CREATE TABLE other (id INTEGER PRIMARY KEY, a, b, c, d, e, f) WITHOUT ROWID;
             DROP TABLE {table}; ALTER TABLE other RENAME TO {table}"
        )
    };
    let mut changes = Vec::new();
    for table in ["blocks", "refs", "log", "facts", "state"] {
        for module in ["fts5(cid, bytes, name)", "rtree(id, a, b)", "dbstat", "json_each"] {
            changes.push(by_sql(format!("{table} as {module}"), virtual_table(table, module)));
        }
        changes.push(by_sql(format!("{table} WITHOUT ROWID"), without_rowid(table)));
        let renamed = format!("ALTER TABLE {table} RENAME TO old; CREATE TABLE {table} (x, y)");
        changes.push(by_sql(format!("{table} of other columns"), renamed));
    }
    check("hostile: tables of other kinds", changes);
}

#[test]
fn tables_and_schemas_of_many_rows() {
    let rows = |count: usize| {
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})")
    };
    let many = amount(20_000, 100_000);
    let insert = |table: &str, values: &str| {
        format!("{} INSERT INTO {table} SELECT {values} FROM n", rows(many))
    };
    let text = amount(50_000_000, 400_000_000);
    let changes = vec![
        by_sql("refs", insert("refs", "i + 9, 'name-' || i, 'bafyrei', i, i")),
        by_sql("facts", insert("facts", "i + 9, 'key', 'subject ' || i, 'did:key:zQ3sh', i")),
        by_sql(
            "log",
            insert("log", "i + 99, 'HEAD', NULL, NULL, i, 'set', NULL, NULL, NULL, '', NULL, i"),
        ),
        by_sql("places", insert("places", "i, i")),
        by_sql("state", insert("state", "i + 9, i, i, i, i, i, i")),
        by_sql("blocks", insert("blocks", "i + 99, CAST(x'01711220' || randomblob(32) AS BLOB), x'a0'")),
        by_sql(
            "views",
            format!(
                "PRAGMA writable_schema = ON; {} INSERT INTO sqlite_schema
                 SELECT 'view', 'v' || i, 'v' || i, 0, 'CREATE VIEW v' || i || ' AS SELECT 1' FROM n",
                rows(amount(1_000, 10_000))
            ),
        ),
        by_sql(
            "a statement of megabytes",
            format!(
                "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES
                 ('view', 'v', 'v', 0, 'CREATE VIEW v AS SELECT 1 -- ' || hex(zeroblob({})))",
                text / 2
            ),
        ),
    ];
    check("hostile: many rows", changes);
}

#[test]
fn headers_with_false_numbers() {
    let large = amount(50_000_000, 300_000_000) as u64;
    let changes = vec![
        by_bytes("four billion pages", 28, &[0xff, 0xff, 0xff, 0xfe], None),
        by_bytes("as many pages as the file has", 28, &[0, 1, 0, 0], Some(65_536 * 8192)),
        by_bytes("a file of many empty pages", 28, &[0, 0, 0, 0], Some(large)),
        by_bytes("a page size of 512", 16, &[2, 0], None),
        by_bytes("a page size of 65,536", 16, &[0, 1], None),
        by_bytes("a free list that is the schema", 32, &[0, 0, 0, 1, 0, 0, 0xff, 0xff], None),
        by_bytes("version 255", 18, &[255, 255], None),
        by_bytes("version 1", 18, &[1, 1], None),
        by_bytes("UTF-16", 56, &[0, 0, 0, 2], None),
        by_bytes("an incremental vacuum", 52, &[0, 0, 0, 5, 0, 0, 0, 1], None),
        by_bytes("application id 0", 68, &[0, 0, 0, 0], None),
        by_bytes("the application id of Fossil", 68, &[0x0f, 0x05, 0x51, 0x12], None),
        by_bytes("format 0", 60, &[0, 0, 0, 0], None),
        by_bytes("format 2", 60, &[0, 0, 0, 2], None),
        by_bytes("a negative format", 60, &[0xff, 0xff, 0xff, 0xff], None),
    ];
    check("hostile: headers", changes);
}

/// A rollback journal may name another file, which SQLite deletes once the journal is used.
#[test]
fn a_journal_deletes_no_file_of_its_choice() {
    let mut failures = Failures::default();
    let sample = prepared();
    for victim in ["alice/key", "alice/pds.db", "good.car"] {
        let repo = duplicate(&sample);
        repo.export("good.car");
        let before = fs::metadata(repo.home.path(victim)).unwrap().len();
        let pages = u32::try_from(repo.home.read("evil/pds.db").len() / 8192).unwrap();
        let name = repo.home.path(victim).into_bytes();
        let sum: u32 = name.iter().map(|byte| u32::from(*byte)).sum();
        let magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
        let mut journal = magic.to_vec();
        for number in [0, 0, pages, 512, 8192] {
            journal.extend(number.to_be_bytes());
        }
        journal.resize(512, 0);
        journal.extend((0x4000_0000_u32 / 8192 + 1).to_be_bytes());
        journal.extend(&name);
        journal.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
        journal.extend(sum.to_be_bytes());
        journal.extend(magic);
        repo.home.write("evil/pds.db-journal", journal);
        check_all(&repo, &format!("a journal that names {victim}"), &mut failures);
        let now = fs::metadata(repo.home.path(victim)).map_or(0, |file| file.len());
        assert!(now >= before, "{victim} has {now} of {before} bytes");
    }
    failures.assert_none();
}
