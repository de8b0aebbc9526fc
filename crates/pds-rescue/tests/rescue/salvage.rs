//! Salvage of stores whose file is damaged.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use pds::Error;
use pds::Expected;
use pds::Repo;
use pds::local::layout::STORE_FILE;
use pds::local::layout::{BLOB_DIRECTORY, QUARANTINE_DIRECTORY};
use pds::local::leftovers::{clear_leftovers, remove_unfinished};
use pds::store::{Change, Event, Expect, RefEdit, SqliteStore, Store, StoreError};
use pds_rescue::{SalvagedCopy, salvage_database, undo_interrupted_salvage};

use super::{copy_sample, did, note, path};

const PAGE_BYTES: usize = 8_192;

/// Returns the directory of a store and the number of its records. With `is_written`, commits by another key follow.
fn store(home: &Path, is_written: bool) -> (std::path::PathBuf, usize) {
    let dir = home.join(format!("store-{is_written}"));
    copy_sample(&dir);
    let repo = Repo::open(&dir).unwrap();
    if is_written {
        let key = pds::crypto::SigningKey::generate(pds::crypto::Curve::K256).unwrap();
        let repo = repo.clone().signing_with(key.clone());
        repo.keys().remember(&pds::crypto::Signer::public_key(&key)).unwrap();
        for n in 0..5 {
            repo.put(&format!("com.example.note/new{n}").parse().unwrap(), &note("new")).unwrap();
        }
    }
    let records = repo.snapshot().unwrap().records().count();
    (dir, records)
}

#[test]
fn a_first_page_that_is_gone_costs_nothing() {
    let home = tempfile::tempdir().unwrap();
    for is_written in [false, true] {
        let what = format!("{is_written}");
        let (dir, records) = store(home.path(), is_written);
        let before = Repo::open(&dir).unwrap();
        let (head, refs) = (before.head().unwrap(), before.history().refs().unwrap());
        let log = before.history().log(usize::MAX).unwrap();
        drop(before);
        let path = dir.join(STORE_FILE);
        let whole = fs::read(&path).unwrap();
        for harm in ["zeroed", "overwritten", "cut short"] {
            let mut file = whole.clone();
            match harm {
                "zeroed" => file[..PAGE_BYTES].fill(0),
                "overwritten" => file[..PAGE_BYTES].fill(b'x'),
                _ => file[..100].fill(0xff),
            }
            fs::write(&path, file).unwrap();
            assert!(!SqliteStore::check_file(&path).unwrap().is_empty(), "{what} {harm}");
            salvage_database(&dir).unwrap();
            let repo = Repo::open(&dir).unwrap();
            assert_eq!(
                (repo.head().unwrap(), repo.history().refs().unwrap()),
                (head, refs.clone()),
                "{what}"
            );
            assert_eq!(repo.history().log(usize::MAX).unwrap(), log, "{what} {harm}");
            let report = repo
                .verify()
                .present(&Expected::default(), &mut |f| panic!("{what}: {f}"))
                .unwrap();
            assert_eq!(report.records, records as u64, "{what} {harm}");
            assert!(pds_rescue::Rescue::of(&repo).survey(&[]).unwrap().is_clean(), "{what} {harm}");
        }
    }
}

#[test]
fn any_page_that_is_gone_leaves_the_rest() {
    let home = tempfile::tempdir().unwrap();
    for is_written in [false, true] {
        let (dir, _) = store(home.path(), is_written);
        let path = dir.join(STORE_FILE);
        let whole = fs::read(&path).unwrap();
        let all = SqliteStore::salvage(&path, home.path().join("all.db")).unwrap();
        fs::remove_file(home.path().join("all.db")).unwrap();
        for page in 0..whole.len() / PAGE_BYTES {
            let what = format!("{is_written} {page}");
            let mut file = whole.clone();
            file[page * PAGE_BYTES..][..PAGE_BYTES].fill(0);
            fs::write(&path, file).unwrap();
            let to = home.path().join(format!("{what}.db"));
            // All blocks may be on one page. If that page is lost, no block remains.
            let saved = match SqliteStore::salvage(&path, &to) {
                Err(error) => {
                    assert!(
                        error.to_string().contains("no block in the file can be read"),
                        "{what}"
                    );
                    continue;
                }
                saved => saved.unwrap(),
            };
            assert!(saved.sound <= all.sound && saved.moves <= all.moves, "{what}");
            assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{what}");
            // Later changes cause no problem either: the log continues where it was cut off.
            let store = SqliteStore::open(&to).unwrap();
            let refs = store.view().unwrap().refs().unwrap();
            for (name, cid) in &refs {
                for event in [Event::Write, Event::Repair] {
                    let (name, target) = (name.clone(), Some(*cid));
                    let edit = RefEdit { name, target, expect: Expect::Any };
                    match store.apply(Change::new(event).edit(edit)) {
                        Ok(_) | Err(StoreError::TargetMissing { .. }) => {}
                        Err(error) => panic!("{what}: {error}"),
                    }
                }
            }
            assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{what}");
        }
    }
}

/// Returns the names in a directory that a repair has left there, or uses while it runs.
fn left_in(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name.starts_with('.') || name == QUARANTINE_DIRECTORY).collect()
}

#[test]
fn files_of_a_running_repair_are_not_cleared_away() {
    let home = tempfile::tempdir().unwrap();
    let (dir, _) = store(home.path(), true);
    let copy = SalvagedCopy::of(&dir).unwrap();
    assert_eq!(left_in(&dir).len(), 1);
    assert_eq!(copy.open().unwrap().head().unwrap(), Repo::open(&dir).unwrap().head().unwrap());
    std::thread::scope(|scope| {
        let clearing = scope.spawn(|| clear_leftovers(&dir).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        assert!(!clearing.is_finished() && left_in(&dir).len() == 1);
        drop(copy);
        clearing.join().unwrap();
    });
    let clearing = File::open(&dir).unwrap();
    clearing.lock().unwrap();
    std::thread::scope(|scope| {
        let repairing = scope.spawn(|| salvage_database(&dir).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        assert!(!repairing.is_finished() && left_in(&dir).is_empty());
        clearing.unlock().unwrap();
        repairing.join().unwrap();
    });
    assert_eq!(left_in(&dir), [QUARANTINE_DIRECTORY]);
    clear_leftovers(&dir).unwrap();
    assert!(left_in(&dir).is_empty());
}

#[cfg(unix)]
#[test]
fn leftovers_of_a_repair_next_to_a_linked_database_are_cleared_away() {
    let home = tempfile::tempdir().unwrap();
    let (dir, _) = store(home.path(), false);
    let linked = home.path().join("linked");
    fs::create_dir(&linked).unwrap();
    std::os::unix::fs::symlink(dir.join(STORE_FILE), linked.join(STORE_FILE)).unwrap();
    for name in [".pds-repair-x", ".pds-new-x", QUARANTINE_DIRECTORY] {
        fs::create_dir(dir.join(name)).unwrap();
        fs::create_dir(linked.join(name)).unwrap();
    }
    clear_leftovers(&linked).unwrap();
    assert!(left_in(&linked).is_empty());
    let mut left = left_in(&dir);
    left.sort();
    assert_eq!(left, [".pds-new-x", QUARANTINE_DIRECTORY], "these are of the other directory");
}

#[test]
fn leftovers_are_cleared_away_although_a_directory_cannot_be_read() {
    let home = tempfile::tempdir().unwrap();
    let (dir, _) = store(home.path(), false);
    for name in [".pds-repair-x", ".pds-new-x", QUARANTINE_DIRECTORY] {
        fs::create_dir(dir.join(name)).unwrap();
    }
    fs::remove_dir_all(dir.join(BLOB_DIRECTORY)).unwrap();
    fs::write(dir.join(BLOB_DIRECTORY), "no directory").unwrap();
    let Err(Error::Io { path, .. }) = clear_leftovers(&dir) else { panic!("nothing failed") };
    assert_eq!(path, dir.canonicalize().unwrap().join(BLOB_DIRECTORY));
    assert!(left_in(&dir).is_empty());
    fs::create_dir(dir.join(".pds-new-x")).unwrap();
    let found = remove_unfinished(&dir);
    assert_eq!(found.removed, [dir.join(".pds-new-x")]);
    assert_eq!(found.failed.len(), 1);
}

#[cfg(unix)]
#[test]
fn the_wal_survives_a_repair_that_ended_after_it_was_removed() {
    for is_written in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let (made, dir) = (home.path().join("made"), home.path().join("alice"));
        let repo = Repo::create(&made, &did()).unwrap();
        let before = repo.head().unwrap();
        repo.put(&path("com.example.note/a"), &note("in the WAL")).unwrap();
        let quarantine = dir.join(QUARANTINE_DIRECTORY);
        fs::create_dir_all(&quarantine).unwrap();
        for (from, to) in [("pds.db", "pds.db.damaged"), ("pds.db-wal", "pds.db.damaged-wal")] {
            fs::copy(made.join(from), dir.join(from)).unwrap();
            fs::hard_link(dir.join(from), quarantine.join(to)).unwrap();
        }
        fs::remove_file(dir.join("pds.db-wal")).unwrap();
        if is_written {
            // The WAL copy is then older than the database.
            let database = File::options().append(true).open(dir.join(STORE_FILE)).unwrap();
            database.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
        }
        assert_eq!(undo_interrupted_salvage(&dir).unwrap(), !is_written);
        let expected = if is_written { before } else { repo.head().unwrap() };
        assert_eq!(Repo::open(&dir).unwrap().head().unwrap(), expected);
        assert!(fs::metadata(quarantine.join("pds.db.damaged-wal")).unwrap().len() > 0);
        salvage_database(&dir).unwrap();
        assert_eq!(Repo::open(&dir).unwrap().head().unwrap(), expected);
        assert!(!undo_interrupted_salvage(&dir).unwrap(), "the new one has no other WAL");
    }
}

#[test]
fn an_empty_file_of_an_interrupted_repair_is_used() {
    let home = tempfile::tempdir().unwrap();
    for has_wal in [false, true] {
        let dir = home.path().join(format!("{has_wal}"));
        Repo::create(&dir, &did()).unwrap();
        let quarantine = dir.join(QUARANTINE_DIRECTORY);
        fs::create_dir(&quarantine).unwrap();
        fs::write(quarantine.join("pds.db.damaged"), "").unwrap();
        if has_wal {
            fs::write(quarantine.join("pds.db.damaged-wal"), "of another database").unwrap();
        }
        let damaged = fs::read(dir.join(STORE_FILE)).unwrap();
        salvage_database(&dir).unwrap();
        let kept = if has_wal { "pds.db.damaged.2" } else { "pds.db.damaged" };
        assert_eq!(fs::read(quarantine.join(kept)).unwrap(), damaged, "{has_wal}");
        assert_eq!(quarantine.join("pds.db.damaged.2").exists(), has_wal);
        let first = fs::metadata(quarantine.join("pds.db.damaged")).unwrap();
        assert_eq!(first.len() == 0, has_wal);
    }
}
