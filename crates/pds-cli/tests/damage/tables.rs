//! Tables and rows of the database that are missing or invalid.

use super::assert_mended;
use super::repair::{NOTES, listed};
use super::rows::{run, run_sealed};
use crate::common::TestRepo;

#[test]
fn tables_that_are_gone_or_others_are_made_again() {
    for damage in [
        "DROP TABLE refs",
        "DROP TABLE log",
        "DROP TABLE facts",
        "DROP TABLE state",
        "DROP TABLE places",
        "DROP TABLE blocks",
        "PRAGMA user_version = 129",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 7",
        "ALTER TABLE blocks RENAME TO strict_blocks;
         CREATE TABLE blocks (id INTEGER PRIMARY KEY, cid, bytes);
         INSERT INTO blocks SELECT * FROM strict_blocks; DROP TABLE strict_blocks;
         UPDATE blocks SET cid = 7 WHERE id = 3; UPDATE blocks SET bytes = NULL WHERE id = 5",
        "ALTER TABLE refs RENAME TO strict_refs;
         CREATE TABLE refs (id INTEGER PRIMARY KEY, name, cid, seq, sum);
         INSERT INTO refs SELECT * FROM strict_refs; DROP TABLE strict_refs;
         UPDATE refs SET cid = x'00', seq = 'many'",
    ] {
        let repo = TestRepo::with_many_notes(NOTES);
        let (head, good) = (repo.head(), repo.export("good.car"));
        run(&repo, damage);
        let verify = repo.pds(["verify"]).ended();
        assert!(matches!(verify.code(), 1 | 3), "{damage}: {verify:?}");
        let survey = repo.pds(["repair"]).ended();
        assert_eq!(survey.code(), 1, "{damage}: {survey:?}");
        assert!(survey.text().starts_with("database: "), "{damage}: {survey:?}");
        let mended = repo.pds(["repair", "--from", &good]).ended();
        assert_mended(&mended, damage);
        repo.assert_whole();
        assert!(repo.pds(["verify"]).ok().contains("signature valid"), "{damage}");
        assert_eq!((repo.head(), listed(&repo).len()), (head, NOTES), "{damage}");
        repo.put("afterwards", "x");
        let history = repo.pds(["verify", "--history"]).ended();
        // A copy has the present state only, and a table that is gone is overwritten.
        let is_past_lost = damage == "DROP TABLE blocks";
        let text = history.text();
        assert_eq!(history.code(), i32::from(is_past_lost), "{damage}: {text}");
        assert_eq!(text.contains("error history-missing "), is_past_lost, "{damage}: {text}");
        assert!(!text.contains("store-damaged"), "{damage}: {text}");
    }
}

/// Rows that a fault has changed, and rows with a checksum of their own that make no sense.
#[test]
fn rows_that_cannot_be_read_are_left_out_and_the_log_says_the_rest() {
    let head_of = |repo: &TestRepo| (repo.head(), listed(repo).len());
    for is_sealed in [false, true] {
        for (table, damage) in [
            ("refs", "UPDATE refs SET cid = replace(cid, 'bafy', 'cafy')"),
            ("refs", "UPDATE refs SET name = '..'"),
            ("refs", "UPDATE refs SET seq = seq - 1"),
            ("refs", "UPDATE refs SET id = id + 1"),
            ("log", "UPDATE log SET ref = 'a b' WHERE seq = 1"),
            ("log", "UPDATE log SET after = 'x' WHERE seq = 1"),
            ("log", "UPDATE log SET event = 'x' WHERE seq = 2"),
            ("log", "UPDATE log SET start = start + 1 WHERE seq = 2"),
            ("log", "UPDATE log SET message = 'x' WHERE seq = 2"),
            ("log", "DELETE FROM log WHERE seq = 1"),
            ("log", "DELETE FROM log WHERE seq = 2"),
            ("facts", "UPDATE facts SET value = 'x' WHERE kind = 'account'"),
            ("facts", "UPDATE facts SET kind = 'x' WHERE kind = 'key'"),
            ("facts", "UPDATE facts SET id = id + 1 WHERE kind = 'key'"),
            ("state", "UPDATE state SET placed = placed + 7"),
            ("state", "UPDATE state SET refs = 2"),
            ("state", "DELETE FROM state"),
        ] {
            // With their own number, checksum and count these rows are right.
            let is_right = ["SET seq", "SET id", "SET message", "SET refs"];
            if is_sealed && is_right.iter().any(|set| damage.contains(set)) {
                continue;
            }
            let what = format!("{damage}, sealed: {is_sealed}");
            let repo = TestRepo::with_many_notes(NOTES);
            let head = head_of(&repo);
            let change = if is_sealed { run_sealed } else { run };
            change(&repo, damage);
            // The present does not depend on the log.
            let verify = repo.pds(["verify"]).ended();
            let history = repo.pds(["verify", "--history"]).ended();
            assert_eq!(verify.code() == 0, table == "log", "{what}: {verify:?}");
            for said in [&history, &verify].into_iter().filter(|said| said.code() != 0) {
                let text = said.text();
                assert!(matches!(said.code(), 1 | 3), "{what}: {text}{}", said.stderr);
                // With a right checksum the number of placed blocks hides some of them.
                let is_hidden = is_sealed && damage.contains("placed");
                let said_damage = text.contains("error store-damaged: the database is damaged: ");
                assert!(said_damage || is_hidden && text.contains(" is missing"), "{what}: {text}");
                assert!(said.stderr.contains("pds repair") || is_hidden, "{what}: {text}");
            }
            assert_ne!(history.code(), 0, "{what}");
            let survey = repo.pds(["repair"]).ended();
            assert!(survey.text().starts_with("database: "), "{what}: {}", survey.text());
            assert_eq!(survey.code(), 1, "{what}: {}", survey.text());
            let mended = repo.pds(["repair", "--here"]).ended();
            assert_mended(&mended, &what);
            // Rows of the log and facts cannot be derived; refs and state follow from the rest.
            let is_partly = matches!(table, "log" | "facts") && !damage.contains("SET id");
            assert_eq!(mended.code() == 6, is_partly, "{what}: {}", mended.text());
            let history = repo.pds(["verify", "--history"]).ended();
            assert!(history.done().contains("signature valid"), "{what}: {}", history.text());
            assert_eq!(head_of(&repo), head, "{what}");
            let again = repo.pds(["repair", "--here"]).ended();
            assert!(again.done().starts_with("ok: "), "{what}: {}", again.text());
            repo.put("afterwards", "x");
            assert_eq!(repo.json_lines(["ref", "ls"]).len(), 1, "{what}");
            repo.pds(["verify", "--history"]).ok();
        }
    }
}
