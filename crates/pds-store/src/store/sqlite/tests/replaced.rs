//! Tests of another store that is renamed over the file of an open one.

use super::*;

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
