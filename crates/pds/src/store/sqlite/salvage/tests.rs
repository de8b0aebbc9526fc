//! Files that are damaged, and what is saved of them.

use std::fs;

use super::*;
use crate::data::{Block, Blocks, Cid, Codec};
use crate::store::sqlite::schema::PAGE_BYTES;
use crate::store::{Expect, RefEdit, RefName, Store};

/// A store with blocks of many sizes, and its file.
fn store(dir: &Path) -> (SqliteStore, Vec<Block>) {
    let store = SqliteStore::create(&dir.join("pds.db")).unwrap();
    let sizes = [10, 900, 30_000, 5, 4_000, 60];
    let block = |(n, len): (u8, &usize)| Block::new(Codec::Raw, vec![n; *len]);
    let blocks: Vec<Block> = (0..60).zip(sizes.iter().cycle()).map(block).collect();
    let target = Some(blocks[0].cid());
    for name in ["HEAD", "side"] {
        let edit = RefEdit { name: name.parse().unwrap(), target, expect: Expect::Any };
        store.apply(&mut blocks.iter().cloned().map(Ok), &[edit], "test").unwrap();
    }
    store.set_meta("did", Some("did:web:example.com")).unwrap();
    (store, blocks)
}

/// Salvages a store in which no block says of what time it is.
fn salvage(from: &Path, to: &Path) -> Result<Salvaged, StoreError> {
    SqliteStore::salvage(from, to, &|_, _| false)
}

#[test]
fn a_page_that_is_gone_costs_what_stood_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
    let whole = fs::read(&path).unwrap();
    let page_bytes = PAGE_BYTES as usize;
    let mut worst = blocks.len();
    for page in 0..whole.len() / page_bytes {
        let mut file = whole.clone();
        file[page * page_bytes..][..page_bytes].fill(0);
        fs::write(&path, file).unwrap();
        let is_noticed = !SqliteStore::check_file(&path).unwrap().is_empty();
        let to = dir.path().join(format!("{page}.db"));
        let saved = salvage(&path, &to).unwrap();
        assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{page}");
        let salvaged = SqliteStore::open(&to).unwrap();
        let found = blocks.iter().filter(|b| matches!(salvaged.get(&b.cid()), Ok(Some(_))));
        let found = found.count();
        worst = worst.min(found);
        // A page in the middle of a block is none of SQLite's business, and the hash tells.
        assert!(is_noticed || found == blocks.len() - 1, "{page}");
        // A ref is in its table or follows from the log.
        let refs = salvaged.refs().unwrap();
        let head: Option<Cid> = refs.get(&RefName::head());
        assert_eq!((head, saved.refs), (Some(blocks[0].cid()), 2), "{page}");
    }
    // Also without the page that leads to all others.
    assert!(worst >= blocks.len() / 2, "{worst} of {}", blocks.len());
}

/// Makes a table or an index unreadable.
fn spoil(path: &Path, name: &str) {
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let sql = Connection::open(path).unwrap();
    let page: u32 = sql.query_row(page, [name], |row| row.get(0)).unwrap();
    sql.close().unwrap();
    let page = page as usize - 1;
    let mut file = fs::read(path).unwrap();
    file[page * PAGE_BYTES as usize..][..PAGE_BYTES as usize].fill(0);
    fs::write(path, file).unwrap();
}

/// What says where a ref stands, when refs and log disagree: what of them could be read whole, and then the
/// later of two states.
#[test]
fn a_ref_moves_only_where_the_whole_log_or_a_later_state_says_so() {
    let (row, log) = (Block::new(Codec::Raw, [1]), Block::new(Codec::Raw, [2]));
    let later_is = |latest: u8| move |block: &Block, _: &Block| block.bytes() == [latest];
    for (has_refs, has_log, has_row_block, logged, latest, expected) in [
        (true, true, true, true, 2, Some(&row)),
        (true, false, true, true, 2, Some(&row)),
        (false, true, true, true, 1, Some(&log)),
        (false, true, true, false, 1, None),
        (false, false, true, true, 2, Some(&log)),
        (false, false, true, true, 1, Some(&row)),
        (false, false, false, true, 2, Some(&row)),
        (false, false, true, false, 2, Some(&row)),
    ] {
        let what = (has_refs, has_log, has_row_block, logged, latest);
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("pds.db"), dir.path().join("new.db"));
        let store = SqliteStore::create(&path).unwrap();
        let mut blocks = vec![log.clone()];
        blocks.extend(has_row_block.then(|| row.clone()));
        for target in [Some(log.cid()), None].into_iter().take(if logged { 1 } else { 2 }) {
            let edit = RefEdit { name: RefName::head(), target, expect: Expect::Any };
            store.apply(&mut blocks.drain(..).map(Ok), &[edit], "test").unwrap();
        }
        drop(store);
        let sql = Connection::open(&path).unwrap();
        let set = "INSERT INTO refs VALUES ('HEAD', ?1) ON CONFLICT DO UPDATE SET cid = ?1";
        sql.execute(set, [row.cid().as_bytes().as_slice()]).unwrap();
        if !has_log {
            sql.execute("INSERT INTO log VALUES (9, 'a b', NULL, NULL, 0, '')", []).unwrap();
        }
        sql.close().unwrap();
        // Something is wrong with each of these files.
        spoil(&path, "places");
        if !has_refs {
            // Nothing tells that the rows which are found are all, or those of the present.
            spoil(&path, "sqlite_autoindex_refs_1");
        }
        let saved = SqliteStore::salvage(&path, &to, &later_is(latest)).unwrap();
        let salvaged = SqliteStore::open(&to).unwrap();
        let expected = expected.map(Block::cid);
        assert_eq!(salvaged.refs().unwrap().get(&RefName::head()), expected, "{what:?}");
        assert_eq!((saved.has_all_refs, saved.has_all_moves), (has_refs, has_log), "{what:?}");
        assert!(!saved.is_all && saved.has_all_texts, "{what:?}");
        let (last, refs) = (if logged { 1 } else { 2 }, if has_refs { " refs" } else { "" });
        let cut = (!has_log).then(|| format!("{last}{refs}"));
        assert_eq!(salvaged.meta(META_LOG_CUT).unwrap(), cut, "{what:?}");
        let moved = match saved.moved.as_slice() {
            [] => Some(row.cid()),
            [moved] => {
                assert_eq!((moved.found, moved.is_logged), (Some(row.cid()), true), "{what:?}");
                moved.target
            }
            many => panic!("{what:?}: {many:?}"),
        };
        assert_eq!((moved, saved.refs), (expected, u64::from(expected.is_some())), "{what:?}");
    }
}

#[test]
fn a_log_that_was_cut_is_believed_after_the_cut_only() {
    let [old, present] = [1, 2].map(|n| Block::new(Codec::Raw, [n]));
    // Up to which row it was cut, and whether the ref moved on since, and the log tells it.
    for (cut, moved_on, expected) in
        [(None, false, &old), (Some("1 refs"), false, &present), (Some("1 refs"), true, &old)]
    {
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("pds.db"), dir.path().join("new.db"));
        let store = SqliteStore::create(&path).unwrap();
        let edit = |to: &Block| RefEdit {
            name: RefName::head(),
            target: Some(to.cid()),
            expect: Expect::Any,
        };
        let mut blocks = [Ok(old.clone()), Ok(present.clone())].into_iter();
        store.apply(&mut blocks, &[edit(&old)], "test").unwrap();
        if moved_on {
            store.apply(&mut std::iter::empty(), &[edit(&old)], "test").unwrap();
        }
        store.set_meta(META_LOG_CUT, cut).unwrap();
        drop(store);
        let sql = Connection::open(&path).unwrap();
        let present = present.cid();
        sql.execute("UPDATE refs SET cid = ?1", [present.as_bytes().as_slice()]).unwrap();
        sql.close().unwrap();
        spoil(&path, "places");
        spoil(&path, "sqlite_autoindex_refs_1");
        let saved = SqliteStore::salvage(&path, &to, &|_, _| false).unwrap();
        let salvaged = SqliteStore::open(&to).unwrap();
        assert_eq!(salvaged.get_ref(&RefName::head()).unwrap(), Some(expected.cid()), "{cut:?}");
        assert_eq!((saved.has_all_refs, saved.has_all_moves), (false, cut.is_none()));
        // That the refs were all there once says nothing of what could be read now.
        let still = cut.map(|_| "1".to_owned());
        assert_eq!(salvaged.meta(META_LOG_CUT).unwrap(), still);
    }
}

/// A page in which refs stood once, and that nothing leads to any more.
#[test]
fn rows_that_are_in_use_no_more_bring_back_no_ref() {
    let dir = tempfile::tempdir().unwrap();
    let (path, to) = (dir.path().join("pds.db"), dir.path().join("new.db"));
    let (store, blocks) = store(dir.path());
    let name = |n: usize| format!("a-branch-with-a-name-that-takes-some-room/{n:04}");
    for target in [Some(blocks[1].cid()), None] {
        let edit = |n| RefEdit { name: name(n).parse().unwrap(), target, expect: Expect::Any };
        let edits: Vec<RefEdit> = (0..400).map(edit).collect();
        store.apply(&mut std::iter::empty(), &edits, "test").unwrap();
    }
    drop(store);
    let sql = Connection::open(&path).unwrap();
    // Nothing is left of what the log said of them.
    sql.execute("DELETE FROM log WHERE name LIKE 'a-branch%' AND after IS NULL", []).unwrap();
    sql.execute("INSERT INTO log VALUES (9999, 'a b', NULL, NULL, 0, '')", []).unwrap();
    sql.close().unwrap();
    let saved = salvage(&path, &to).unwrap();
    assert_eq!((saved.has_all_refs, saved.has_all_moves, saved.is_all), (true, false, false));
    let names = SqliteStore::open(&to).unwrap().refs().unwrap().entries;
    assert_eq!((names.len(), saved.moved), (2, Vec::new()));
}

fn count(store: &SqliteStore, blocks: &[Block]) -> usize {
    blocks.iter().filter(|block| matches!(store.get(&block.cid()), Ok(Some(_)))).count()
}

#[test]
fn of_a_file_that_was_cut_everything_before_the_cut_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut before = 0;
    for eighth in 1..8 {
        fs::write(&path, &whole[..whole.len() * eighth / 8 + 100]).unwrap();
        assert!(!SqliteStore::check_file(&path).unwrap().is_empty());
        let to = dir.path().join(format!("{eighth}.db"));
        let Ok(saved) = salvage(&path, &to) else {
            // Values that are longer than a page come first, and end behind the cut.
            assert_eq!(before, 0, "{eighth}");
            continue;
        };
        assert!(!saved.is_all);
        let found = count(&SqliteStore::open(&to).unwrap(), &blocks);
        assert!(found >= before, "{eighth}: {found} after {before}");
        before = found;
    }
    assert!(before > blocks.len() / 2, "{before}");
}

#[test]
fn what_is_in_the_wal_is_saved_with_an_empty_or_headless_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let (path, wal) = (dir.path().join("pds.db"), dir.path().join("pds.db-wal"));
    let (store, blocks) = store(dir.path());
    // Nothing has been moved into the file yet: all of it is in the WAL.
    let (file, log) = (fs::read(&path).unwrap(), fs::read(&wal).unwrap());
    drop(store);
    for (n, file) in [vec![], b"x".repeat(PAGE_BYTES as usize), file].into_iter().enumerate() {
        fs::write(&path, &file).unwrap();
        fs::write(&wal, &log).unwrap();
        let to = dir.path().join(format!("{n}.db"));
        if n == 0 {
            assert!(matches!(SqliteStore::open(&path), Err(StoreError::NotAStore(_))));
            assert!(!SqliteStore::check_file(&path).unwrap().is_empty());
            SqliteStore::check_alone(&path).unwrap();
            assert_eq!(fs::read(&wal).unwrap().len(), log.len(), "nobody deletes it");
        }
        salvage(&path, &to).unwrap();
        assert_eq!(count(&SqliteStore::open(&to).unwrap(), &blocks), blocks.len(), "{n}");
    }
}

#[test]
fn a_store_that_somebody_has_open_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, _) = store(dir.path());
    assert!(matches!(SqliteStore::check_alone(&path), Err(StoreError::Busy)));
    drop(store);
    SqliteStore::check_alone(&path).unwrap();
    drop(SqliteStore::open(&path).unwrap());
}

/// Rows that are far apart, and one in between of which a part is gone: the next is not looked for one by one.
#[test]
fn a_row_that_is_damaged_does_not_make_the_way_to_the_next_long() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch("UPDATE blocks SET id = id * 1000000000000; DELETE FROM places").unwrap();
    sql.close().unwrap();
    let whole = fs::read(&path).unwrap();
    let page_bytes = PAGE_BYTES as usize;
    for page in 1..whole.len() / page_bytes {
        let mut file = whole.clone();
        // Where the next page of a long value is named.
        file[page * page_bytes..][..4].fill(0xff);
        fs::write(&path, file).unwrap();
        let to = dir.path().join(format!("{page}.db"));
        salvage(&path, &to).unwrap();
        assert!(count(&SqliteStore::open(&to).unwrap(), &blocks) > 0, "{page}");
    }
}

#[test]
fn pages_that_lead_to_each_other_in_circles_are_followed_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let (store, blocks) = store(dir.path());
    drop(store);
    let whole = fs::read(&path).unwrap();
    let page_bytes = PAGE_BYTES as usize;
    let page = |number: usize| number * page_bytes..(number + 1) * page_bytes;
    for from in 1..4 {
        for to in 1..whole.len() / page_bytes {
            let mut file = whole.clone();
            file.copy_within(page(from), to * page_bytes);
            fs::write(&path, file).unwrap();
            let name = dir.path().join(format!("{from}-{to}.db"));
            let saved = salvage(&path, &name).unwrap();
            assert!(saved.sound <= blocks.len() as u64, "{from} {to}");
            assert_eq!(SqliteStore::check_file(&name).unwrap(), Vec::<String>::new());
        }
    }
}
