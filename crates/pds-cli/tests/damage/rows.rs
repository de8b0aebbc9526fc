//! Rows of the database that a test writes, with the numbers and the checksums that belong to them.

use rusqlite::Connection;
use rusqlite::types::Value;
use sha2::{Digest, Sha256};

use crate::common::TestRepo;

/// The database of the repository.
pub(super) fn sql(repo: &TestRepo) -> Connection {
    Connection::open(repo.home.dir().join("alice/pds.db")).unwrap()
}

/// Changes rows as a fault does: their checksums are wrong afterwards.
pub(super) fn run(repo: &TestRepo, statements: &str) {
    sql(repo).execute_batch(statements).unwrap();
}

/// Changes rows as a program does: their numbers and checksums are right, and `state` has the
/// counts of refs and facts. What the rows say may be wrong.
pub(super) fn run_sealed(repo: &TestRepo, statements: &str) {
    let sql = sql(repo);
    sql.execute_batch(statements).unwrap();
    let counts = "UPDATE state SET refs = (SELECT count(*) FROM refs),
                                   facts = (SELECT count(*) FROM facts)";
    sql.execute_batch(counts).unwrap();
    for (table, columns, key) in TABLES {
        let rows: Vec<(i64, Vec<Value>)> = sql
            .prepare(&format!("SELECT rowid, {columns} FROM {table}"))
            .unwrap()
            .query_map([], |row| {
                let count = row.as_ref().column_count();
                Ok((row.get(0)?, (1..count).map(|at| row.get(at)).collect::<Result<_, _>>()?))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for (id, values) in rows {
            let number = if key == 0 { id } else { sum(table, &values[..key]) };
            let set = format!("UPDATE {table} SET rowid = ?1, sum = ?2 WHERE rowid = ?3");
            assert_eq!(sql.execute(&set, [number, sum(table, &values), id]).unwrap(), 1);
        }
    }
}

/// Points a ref to a commit, without a row in the log. Its row names the row of the log that moved the ref there,
/// or else the one that it named.
pub(super) fn set_ref(repo: &TestRepo, name: &str, cid: &str) {
    run_sealed(
        repo,
        &format!(
            "INSERT OR REPLACE INTO refs (id, name, cid, seq, sum) VALUES (
                 coalesce((SELECT id FROM refs WHERE name = '{name}'), 1), '{name}', '{cid}',
                 coalesce((SELECT max(seq) FROM log WHERE ref = '{name}' AND after = '{cid}'),
                          (SELECT seq FROM refs WHERE name = '{name}'), 0), 0)"
        ),
    );
}

/// Writes a fact of a kind that has one fact at most.
pub(super) fn set_fact(repo: &TestRepo, kind: &str, value: &str) {
    run_sealed(
        repo,
        &format!(
            "DELETE FROM facts WHERE kind = '{kind}';
             INSERT INTO facts (id, kind, subject, value, sum) VALUES (1, '{kind}', '', '{value}', 0)"
        ),
    );
}

/// The first eight bytes of a SHA-256 over a table and columns.
fn sum(table: &str, columns: &[Value]) -> i64 {
    let mut hash = Sha256::new();
    let text = |text: &str, hash: &mut Sha256| {
        hash.update([2]);
        hash.update(u32::try_from(text.len()).unwrap().to_be_bytes());
        hash.update(text);
    };
    text(table, &mut hash);
    for column in columns {
        match column {
            Value::Null => hash.update([0]),
            Value::Integer(value) => {
                hash.update([1]);
                hash.update(value.to_be_bytes());
            }
            Value::Text(value) => text(value, &mut hash),
            other => panic!("{other:?}"),
        }
    }
    i64::from_be_bytes(*hash.finalize().first_chunk().unwrap())
}

/// The tables whose rows have checksums, their columns, and how many of these are the key; without a key, rows
/// keep their numbers.
const TABLES: [(&str, &str, usize); 4] = [
    ("refs", "name, cid, seq", 1),
    ("facts", "kind, subject, value", 2),
    ("log", "seq, ref, before, after, at_micros, event, other, old_key, key, message, start", 0),
    ("state", "change, sweep, placed, refs, facts", 0),
];
