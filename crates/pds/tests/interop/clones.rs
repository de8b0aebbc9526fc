//! Repositories of other software, imported into a store and exported again.

use std::collections::{HashMap, HashSet};

use pds::data::{Block, Cid};
use pds::{Error, Repo};
use pds::{Expected, Stage};

use super::super::repo::{block_count, lose};
use super::cars::{key_of, listing_of, parts, whole_repositories};
use super::support::{
    blocks, cid, codes, empty_mirror, export, flag, import, names_in, number, open, state, text,
    verify,
};

/// Imports a file into a repository in a directory, and into one in memory.
fn in_both_stores(bytes: &[u8], check: impl Fn(&Repo)) {
    let dir = tempfile::tempdir().unwrap();
    let (on_disk, imported) =
        pds::local::directory::clone_car(dir.path().join("clone"), &open(bytes).unwrap(), None)
            .unwrap();
    let in_memory = empty_mirror();
    let taken = import(&in_memory, bytes, None).unwrap();
    assert_eq!(imported.commit, taken.commit);
    assert_eq!(imported.new_blocks, taken.new_blocks);
    assert_eq!(imported.records, taken.records);
    check(&on_disk);
    check(&in_memory);
}

#[test]
fn a_clone_holds_what_the_commit_reaches_and_nothing_else() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    for (name, facts, bytes) in &cases {
        let there: HashMap<Cid, Block> =
            blocks(bytes).into_iter().map(|block| (block.cid(), block)).collect();
        in_both_stores(bytes, |repo| {
            let snapshot = repo.snapshot().unwrap();
            assert_eq!(repo.head().unwrap(), Some(cid(facts, "commit")), "{name}");
            assert_eq!(repo.did().unwrap().unwrap().as_str(), text(facts, "did"));
            assert!(!repo.keys().can_sign(), "{name}: a clone is a mirror");
            assert_eq!(listing_of(&snapshot), text(facts, "records_sha256"), "{name}");

            let reached = 1 + number(facts, "mst_nodes") + number(facts, "distinct_record_cids");
            let stored = block_count(repo);
            match earlier_states(repo) {
                0 => assert_eq!(stored, reached, "{name}"),
                _ => assert!(stored > reached, "{name}: earlier states are stored, too"),
            }
            for entry in snapshot.records() {
                let entry = entry.unwrap();
                let record = snapshot.find(&entry.path).unwrap().unwrap();
                assert_eq!(record.block, there[&entry.cid], "{name}: {}", entry.path);
            }
            let commit = snapshot.commit().block();
            assert_eq!(*commit, there[&commit.cid()], "{name}: its bytes are kept");

            let report = repo.verify().present(&Expected::default(), &mut |_| {}).unwrap();
            assert!(report.is_ok() && report.is_complete(), "{name}");
            assert_eq!(report.blocks, stored, "{name}");
        });
    }
}

/// Returns the number of rows of the log before the last one.
fn earlier_states(repo: &Repo) -> usize {
    repo.history().log(usize::MAX).unwrap().len() - 1
}

#[test]
fn a_clone_keeps_the_earlier_states_of_a_file() {
    for (name, expected) in [("indigo-fakermaker", 142), ("indigo-paul_staging", 27)] {
        let Some(bytes) = super::support::bytes(&format!("cars/{name}.car")) else {
            return;
        };
        in_both_stores(&bytes, |repo| {
            assert_eq!(earlier_states(repo), expected, "{name}: a row for each state");
            let report = repo.verify().history(&Expected::default(), &mut |finding| {
                assert_eq!(finding.code().severity(), pds::Severity::Note, "{finding}");
            });
            let report = report.unwrap();
            assert!(report.is_ok() && report.is_complete(), "{name}");
            assert_eq!(report.commits, expected as u64 + 1, "{name}");
            let before = block_count(repo);
            repo.retain().gc(&Default::default(), &mut |_| {}).unwrap();
            assert_eq!(block_count(repo), before, "{name}: the log keeps all states");
            // The states follow each other: the parent of each is the one before.
            let oldest = format!("HEAD~{expected}").parse().unwrap();
            let oldest = repo.history().resolve(&oldest).unwrap();
            let rows = repo.history().log(usize::MAX).unwrap();
            assert_eq!(rows.last().unwrap().after, Some(oldest), "{name}");

            let mut file = Vec::new();
            let at = "HEAD".parse().unwrap();
            let exported = repo.transfer().export_history(&at, &mut file, &mut |_| {}).unwrap();
            assert_eq!(exported.states, expected as u64 + 1, "{name}");
            let second = empty_mirror();
            assert_eq!(import(&second, &file, None).unwrap().earlier, expected as u64);
            assert_eq!(block_count(&second), before, "{name}: every block came back");
            let after = |repo: &Repo| -> Vec<_> {
                let rows = repo.history().log(usize::MAX).unwrap();
                rows.iter().map(|row| row.after).collect()
            };
            assert_eq!(after(&second), after(repo), "{name}: the same states in the same order");
        });
    }
}

#[test]
fn the_same_file_a_second_time_adds_nothing() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    for (name, facts, bytes) in &cases {
        in_both_stores(bytes, |repo| {
            let before = state(repo);
            let again = import(repo, bytes, None).unwrap();
            assert_eq!(again.new_blocks, 0, "{name}");
            assert_eq!(again.records, number(facts, "records"), "{name}");
            assert_eq!(again.before.unwrap().cid(), again.commit.cid(), "{name}");
            assert_eq!(state(repo), before, "{name}: not even a row of the log");
        });
    }
}

#[test]
fn the_same_file_brings_back_what_a_store_has_lost() {
    let Some(bytes) = super::support::bytes("cars/repostream-tiny.car") else {
        return;
    };
    let all: HashSet<Cid> = blocks(&bytes).iter().map(Block::cid).collect();
    in_both_stores(&bytes, |repo| {
        let before = state(repo);
        for lost in all.iter().filter(|cid| Some(**cid) != repo.head().unwrap()) {
            lose(repo, *lost);
            assert_eq!(import(repo, &bytes, None).unwrap().new_blocks, 1);
            let report = repo.verify().present(&Expected::default(), &mut |_| {}).unwrap();
            assert!(report.is_ok() && report.is_complete(), "{lost}");
        }
        assert_eq!(block_count(repo), all.len() as u64);
        assert_ne!(state(repo), before, "the log says that something came in");
    });
}

#[test]
fn an_export_verifies_and_comes_back_byte_for_byte() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    let mut originals = 0;
    for (name, facts, bytes) in &cases {
        in_both_stores(bytes, |repo| {
            let file = export(&repo.snapshot().unwrap());
            let (report, findings) = verify(&file, &Expected::default());
            assert!(report.is_ok() && report.is_complete(), "{name}: {findings:#?}");
            let version_2 = number(facts, "version") == 2;
            let notes: &[&str] = if version_2 { &["commit-version-2"] } else { &[] };
            assert_eq!(codes(&findings), notes, "{name}: nothing twice, nothing unreached");
            assert_eq!(report.records, number(facts, "records"), "{name}");
            if earlier_states(repo) == 0 {
                assert_eq!(report.blocks, block_count(repo), "{name}");
            }
            assert_eq!(report.commit.unwrap().cid(), cid(facts, "commit"), "{name}");

            let second = empty_mirror();
            import(&second, &file, None).unwrap();
            assert!(export(&second.snapshot().unwrap()) == file, "{name}");
        });
        // If the other software wrote in the same order, the export is identical to its file.
        if flag(facts, "preorder_streamable") {
            let repo = empty_mirror();
            import(&repo, bytes, None).unwrap();
            assert!(export(&repo.snapshot().unwrap()) == *bytes, "{name}");
            originals += 1;
        }
    }
    assert!(originals >= 1);
}

#[test]
fn a_known_key_is_checked_and_remembered_by_a_clone() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    for (name, facts, bytes) in &cases {
        let Some(key) = key_of(facts) else { continue };
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("clone");
        let cloned = pds::local::directory::clone_car(&target, &open(bytes).unwrap(), Some(&key));
        if flag(&facts["signing_key"], "low_s") {
            let (repo, _) = cloned.unwrap();
            assert_eq!(repo.public_key().unwrap(), Some(key), "{name}");
        } else {
            // With a named key, a high-S signature is refused. Without one, the data is accepted.
            let error = cloned.err().unwrap();
            assert!(
                matches!(&error, Error::Refused(found) if found.code().as_str() == "signature-high-s"),
                "{name}: {error}"
            );
            assert_eq!(names_in(dir.path()), [""; 0], "{name}");
        }
    }
}

#[test]
fn a_part_is_not_cloned_and_leaves_nothing_behind() {
    let Some(cases) = parts() else { return };
    for (name, _, bytes) in &cases {
        let incomplete = |error: Error| match error {
            Error::Refused(finding) => assert_eq!(finding.stage(), Stage::Completeness, "{name}"),
            error => panic!("{name}: {error}"),
        };
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("clone");
        incomplete(
            pds::local::directory::clone_car(&target, &open(bytes).unwrap(), None).err().unwrap(),
        );
        assert_eq!(names_in(dir.path()), [""; 0], "{name}");

        // An empty directory that already existed has no new file either.
        std::fs::create_dir(&target).unwrap();
        incomplete(
            pds::local::directory::clone_car(&target, &open(bytes).unwrap(), None).err().unwrap(),
        );
        assert_eq!(names_in(&target), [""; 0], "{name}");

        let repo = empty_mirror();
        let before = state(&repo);
        incomplete(import(&repo, bytes, None).err().unwrap());
        assert_eq!(state(&repo), before, "{name}");
    }
}

#[test]
fn a_clone_onto_a_file_leaves_the_file_alone_and_nothing_beside_it() {
    let Some(bytes) = super::support::bytes("cars/repostream-tiny.car") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("taken");
    std::fs::write(&target, "mine").unwrap();
    assert!(pds::local::directory::clone_car(&target, &open(&bytes).unwrap(), None).is_err());
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine");
    assert_eq!(names_in(dir.path()), ["taken"]);
}
