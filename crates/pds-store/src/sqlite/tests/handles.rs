//! Tests of a handle from its creation to its end, and of the numbers that it writes.

use super::*;
use crate::fact::{Fact, FactEdit};
use crate::log::{LogEntry, LogQuery};
use crate::sqlite::rows::bad_row::MAX_CHANGE;
use crate::sqlite::rows::log::write_log;
use crate::sqlite::rows::refs::RefRow;
use crate::sqlite::rows::state::StateRow;
use crate::store::Compacted;
use crate::sweep::{Fate, Sweep};

#[test]
fn a_settled_store_has_a_wal_and_all_its_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create_unsettled(&path).unwrap();
    assert!(store.maintain().is_some());
    apply(&store, 0..10);
    store.settle().unwrap();
    // The second of these numbers in the header of the file means that it has a WAL.
    assert_eq!(std::fs::read(&path).unwrap()[18..20], [2, 2]);
    assert_eq!(SqliteStore::open(&path).unwrap().block_count().unwrap(), 10);
}

#[test]
fn an_error_names_the_file_that_is_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let [absent, other] = ["absent", "other"].map(|name| dir.path().join(name));
    std::fs::write(&other, "no database, but a text that is longer than the header of a file")
        .unwrap();
    for path in [&absent, &other] {
        let said = explained(&SqliteStore::open(path).unwrap_err());
        assert_eq!(said.matches(&path.display().to_string()).count(), 1, "{said}");
    }
    assert!(matches!(SqliteStore::check_file(&absent), Err(StoreError::NotAStore(_))));
    assert_eq!(SqliteStore::check_file(&other).unwrap().len(), 1);
}

#[test]
fn no_deleted_content_is_left_after_a_compaction() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let deleted = Block::new(Codec::Raw, b"deleted".repeat(20_000));
    change(&store, [block(0), deleted], Some(block(0).cid())).unwrap();
    let version = store.view().unwrap().version();
    let keep = block(0).cid();
    assert_eq!(store.collect(Sweep::new(version, &|cid| *cid == keep)).unwrap().blocks, 1);
    assert!(matches!(store.compact(), Ok(Compacted::Clean)));
    for end in ["", "-wal"] {
        let bytes = std::fs::read(path.with_file_name(format!("pds.db{end}"))).unwrap();
        assert!(!bytes.windows(14).any(|bytes| bytes == b"deleteddeleted"), "{end}");
    }
}

#[test]
fn facts_are_counted_when_they_are_set_again_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    apply(&store, 0..1);
    let account = || Fact::Account("did:web:example.com".parse().unwrap());
    for (edit, count) in [
        (FactEdit::Set(Fact::Erasing), 1),
        (FactEdit::Set(Fact::Erasing), 1),
        (FactEdit::Set(account()), 2),
        (FactEdit::Remove(Fact::Erasing), 1),
        (FactEdit::Clear(account().kind()), 0),
    ] {
        store.apply(Change::new(Event::Set).fact(edit)).unwrap();
        let state = StateRow::read(&Connection::open(&path).unwrap()).unwrap();
        assert_eq!(state.facts, count);
        assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_number_that_no_release_writes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let sql = Connection::open(&path).unwrap();
    let state = StateRow::read(&sql).unwrap();
    for wrong in [StateRow { placed: -1, ..state }, StateRow { refs: -1, ..state }] {
        wrong.write(&sql).unwrap();
        assert!(StateRow::read(&sql).is_err(), "{wrong:?}");
    }
    state.write(&sql).unwrap();
    let row = LogEntry {
        seq: MAX_CHANGE.cast_unsigned(),
        name: RefName::head(),
        before: None,
        after: None,
        at_micros: 1,
        event: Event::Set,
        message: String::new(),
    };
    let copied = store.apply(Change::new(Event::Set).history([Ok(row.clone())]));
    assert!(matches!(copied, Err(StoreError::Blocks(_))), "{copied:?}");
    write_log(&sql, &row).unwrap();
    let refused = change(&store, [block(0)], None);
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
}

/// The log of a ref must stay a chain, so a repair continues the log and not the ref.
#[test]
fn a_repair_continues_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    apply(&store, 0..3);
    let sql = Connection::open(&path).unwrap();
    RefRow { name: RefName::head(), cid: block(1).cid(), seq: 1 }.write(&sql).unwrap();
    store.apply(Change::new(Event::Repair).edit(head_at(Some(block(2).cid())))).unwrap();
    let mut last = None;
    let mut each = |row: LogEntry| {
        last = Some((row.before, row.after));
        std::ops::ControlFlow::Break(())
    };
    store.view().unwrap().log(&LogQuery::newest_first(), &mut each).unwrap();
    assert_eq!(last, Some((Some(block(0).cid()), Some(block(2).cid()))));
}

/// A dropped row can leave another one without a move. Then the ref has to name the row before it.
#[test]
fn a_ref_names_its_last_row_after_a_sweep_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    for n in [0, 1, 0] {
        apply(&store, n..n + 1);
    }
    let mut fate = |row: &LogEntry| match row.after == Some(block(1).cid()) {
        true => Fate::Goes,
        false => Fate::Stays,
    };
    let version = store.view().unwrap().version();
    let sweep = Sweep { log: Some(&mut fate), ..Sweep::new(version, &|_| true) };
    store.collect(sweep).unwrap();
    let row = RefRow::find(&Connection::open(&path).unwrap(), &RefName::head()).unwrap().unwrap();
    assert_eq!((row.cid, row.seq), (block(0).cid(), 1));
    assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
}

#[test]
fn the_last_number_is_never_passed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let store = SqliteStore::create(&path).unwrap();
    let sql = Connection::open(&path).unwrap();
    let state = StateRow::read(&sql).unwrap();
    StateRow { change: MAX_CHANGE - 1, ..state }.write(&sql).unwrap();
    change(&store, [block(0)], Some(block(0).cid())).unwrap();
    let refused = change(&store, [block(1)], Some(block(1).cid()));
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    assert_eq!(head(&store), Some(block(0).cid()));
    assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
}
