//! Tables and rows of the database that are gone or make no sense.

use rusqlite::Connection;

use super::assert_mended;
use super::repair::{NOTES, listed};
use crate::common::TestRepo;

#[test]
fn tables_that_are_gone_or_others_are_made_anew() {
    for damage in [
        "DROP TABLE refs",
        "DROP TABLE log",
        "DROP TABLE meta",
        "DROP TABLE places",
        "DROP TABLE blocks",
        "PRAGMA user_version = 1",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 7",
        "ALTER TABLE blocks RENAME TO strict_blocks;
         CREATE TABLE blocks (id INTEGER PRIMARY KEY, cid, bytes);
         INSERT INTO blocks SELECT * FROM strict_blocks; DROP TABLE strict_blocks;
         UPDATE blocks SET cid = 7 WHERE id = 3; UPDATE blocks SET bytes = NULL WHERE id = 5",
    ] {
        let repo = TestRepo::with_many_notes(NOTES);
        let (head, good) = (repo.head(), repo.export("good.car"));
        let sql = Connection::open(repo.home.dir().join("alice/pds.db")).unwrap();
        sql.execute_batch(damage).unwrap();
        drop(sql);
        let verify = repo.pds(["verify"]).ended();
        assert!(matches!(verify.code(), 1 | 3), "{damage}: {verify:?}");
        let survey = repo.pds(["repair"]).ended();
        assert_eq!(survey.code(), 1, "{damage}: {survey:?}");
        assert!(survey.text().starts_with("database: "), "{damage}: {survey:?}");
        let mended = repo.pds(["repair", "--from", &good]).ended();
        assert_mended(&mended, damage);
        repo.assert_whole();
        assert_eq!((repo.head(), listed(&repo).len()), (head, NOTES), "{damage}");
        repo.put("afterwards", "x");
        repo.assert_whole();
    }
}

#[test]
fn rows_that_cannot_be_read_are_left_out_and_the_log_says_the_rest() {
    for damage in [
        "UPDATE refs SET cid = x'00' WHERE name = 'HEAD'",
        "UPDATE refs SET name = '..' WHERE name = 'HEAD'",
        "UPDATE log SET name = 'a b' WHERE seq = 1",
        "UPDATE log SET after = x'0102' WHERE seq = 1",
        "UPDATE meta SET value = 'many' WHERE key = 'placed'",
        "INSERT OR REPLACE INTO meta VALUES ('placed', 'x')",
    ] {
        let repo = TestRepo::with_many_notes(NOTES);
        let head = repo.head();
        let sql = Connection::open(repo.home.dir().join("alice/pds.db")).unwrap();
        sql.execute_batch(damage).unwrap();
        drop(sql);
        let verify = repo.pds(["verify"]).ended();
        let survey = repo.pds(["repair"]).ended();
        if verify.code() != 0 {
            assert_eq!(verify.code(), 3, "{damage}: {verify:?}");
            assert!(verify.stderr.contains("pds repair"), "{damage}: {verify:?}");
            assert_eq!(survey.code(), 1, "{damage}: {survey:?}");
        }
        assert_mended(&repo.pds(["repair", "--here"]).ended(), damage);
        repo.assert_whole();
        assert_eq!((repo.head(), listed(&repo).len()), (head, NOTES), "{damage}");
    }
}
