//! Tests of another store that is renamed over the file of an open one.

use super::*;
use crate::change::Change;
use crate::error::StoreError;
use crate::sqlite::schema;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::writer::Writer;

#[test]
fn a_change_goes_to_neither_file_after_the_store_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let [path, old, new] = ["pds.db", "old.db", "new.db"].map(|name| dir.path().join(name));
    let store = SqliteStore::create(&path).unwrap();
    apply(&store, 0..10);
    apply(&SqliteStore::create(&new).unwrap(), 100..110);
    std::fs::hard_link(&path, &old).unwrap();
    for name in ["pds.db-wal", "pds.db-shm"] {
        std::fs::rename(dir.path().join(name), dir.path().join(name.replace("pds", "old")))
            .unwrap();
    }
    std::fs::rename(&new, &path).unwrap();
    // Another process writes to the new file before this one detects it.
    let other = SqliteStore::open(&path).unwrap();
    apply(&other, 200..210);

    let refused = change(&store, [block(7_000)], Some(block(7_000).cid()));
    assert!(matches!(refused, Err(StoreError::Replaced)), "{refused:?}");
    for path in [&path, &old] {
        let store = SqliteStore::open(path).unwrap();
        assert_eq!(store.get(&block(7_000).cid()).unwrap(), None);
        assert_ne!(head(&store), Some(block(7_000).cid()));
    }
    assert_eq!(head(&SqliteStore::open(&old).unwrap()), Some(block(0).cid()));
    // From now on, this store reads the new file,
    assert_eq!(head(&store), Some(block(200).cid()));
    assert_eq!(store.get(&block(5).cid()).unwrap(), None);
    // and its writes go there.
    assert_eq!(apply(&store, 105..115).new_blocks, 5);
    assert_eq!(apply(&other, 300..310).new_blocks, 10);
    drop((store, other));
    assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
    let store = SqliteStore::open(&path).unwrap();
    for n in (100..115).chain(200..210).chain(300..310) {
        assert_eq!(store.get(&block(n).cid()).unwrap(), Some(block(n)), "{n}");
    }
    assert_eq!(head(&store), Some(block(300).cid()));
}

#[test]
fn a_store_whose_file_is_gone_writes_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    apply(&store, 0..10);
    for name in ["pds.db", "pds.db-wal", "pds.db-shm"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let refused = change(&store, [block(20)], None);
    assert!(matches!(refused, Err(StoreError::Replaced)), "{refused:?}");
    let refused = change(&store, [block(20)], None);
    assert!(matches!(refused, Err(StoreError::NotAStore(_))), "{refused:?}");
    assert!(!path.exists());
}

/// How many times this process has a file open.
#[cfg(target_os = "linux")]
fn times_open(path: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap();
    let files = links.filter_map(|link| std::fs::read_link(link.unwrap().path()).ok());
    files.filter(|file| file == path).count()
}

/// A lock keeps the writer in the middle of opening the file, until another one has taken its place.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_replaced_while_a_writer_opens_it_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let [path, old, new] = ["pds.db", "old.db", "new.db"].map(|name| dir.join(name));
    apply(&SqliteStore::create(&path).unwrap(), 0..10);
    apply(&SqliteStore::create(&new).unwrap(), 100..110);
    std::fs::hard_link(&path, &old).unwrap();
    let lock = schema::open_unread(&path).unwrap();
    lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; ROLLBACK;").unwrap();

    let known = times_open(&path);
    let opening = std::thread::spawn({
        let path = path.clone();
        move || Writer::open(&path)
    });
    let opened = path.clone();
    bounded("the file is opened", move || {
        while times_open(&opened) == known {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    std::fs::rename(&new, &path).unwrap();
    drop(lock);
    let mut writer = opening.join().unwrap().unwrap();

    let edit = || Change::new(Event::Set).blocks([Ok(block(7_000))]).edit(head_at(None));
    let refused = writer.apply(edit());
    assert!(matches!(refused, Err(StoreError::Replaced)), "{refused:?}");
    drop(writer);
    for (path, first) in [(&path, 100), (&old, 0)] {
        let store = SqliteStore::open(path).unwrap();
        assert_eq!(head(&store), Some(block(first).cid()), "{}", path.display());
        assert_eq!(store.get(&block(7_000).cid()).unwrap(), None, "{}", path.display());
    }
    let mut writer = Writer::open(&path).unwrap();
    assert_eq!(writer.apply(edit()).unwrap().new_blocks, 1);
}
