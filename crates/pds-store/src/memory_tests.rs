//! What the queries on a store find, with the store in memory.

use super::*;
use crate::store::{first_fact, has_sound, lacks_refs, latest_rows};
use pds_core::data::cid::Codec;

fn name(text: &str) -> RefName {
    text.parse().unwrap()
}

fn block(n: u8) -> Block {
    Block::new(Codec::Cbor, [n])
}

/// Points a ref to a new block, or removes it.
fn point(store: &MemoryStore, to: &str, target: Option<u8>) {
    let edit = RefEdit {
        name: name(to),
        target: target.map(|n| block(n).cid()),
        expect: Default::default(),
    };
    let blocks = target.map(|n| Ok(block(n)));
    Store::apply(store, Change::new(Event::Write).blocks(blocks).edit(edit)).unwrap();
}

#[test]
fn the_latest_rows_of_a_ref_are_found() {
    let store = MemoryStore::default();
    for (to, n) in [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("b", 5)] {
        point(&store, to, Some(n));
    }
    let view = store.view().unwrap();
    for (limit, expected) in
        [(0, &[][..]), (1, &[4]), (2, &[4, 3]), (3, &[4, 3, 1]), (9, &[4, 3, 1])]
    {
        let rows = latest_rows(&*view, &name("a"), limit).unwrap();
        let targets: Vec<Option<Cid>> = rows.into_iter().map(|row| row.after).collect();
        let expected: Vec<Option<Cid>> = expected.iter().map(|n| Some(block(*n).cid())).collect();
        assert_eq!(targets, expected, "{limit}");
    }
    let mut found = Vec::new();
    let query = LogQuery::oldest_first().to(block(3).cid());
    view.log(&query, &mut |row| {
        found.push(row.seq);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(found, [3]);
}

#[test]
fn refs_are_lacking_unless_the_log_explains_it() {
    let store = MemoryStore::default();
    let lacks = |store: &MemoryStore| lacks_refs(&*store.view().unwrap()).unwrap();
    assert!(lacks(&store), "nothing explains it");
    point(&store, "a", Some(1));
    assert!(!lacks(&store));
    Arc::make_mut(&mut store.state().refs).clear();
    assert!(lacks(&store), "the newest entry is a ref that is lost");
    point(&store, "a", Some(2));
    point(&store, "a", None);
    assert!(!lacks(&store), "the newest entry is its removal");
}

#[test]
fn facts_and_blocks_are_found() {
    let store = MemoryStore::default();
    point(&store, "a", Some(1));
    let [there, absent] = [1, 2].map(|n| block(n).cid());
    assert!(has_sound(&store, &there).unwrap() && !has_sound(&store, &absent).unwrap());
    let fact = |kind| first_fact(&*store.view().unwrap(), kind).unwrap();
    assert_eq!(fact(FactKind::Loss), None);
    let change = Change::new(Event::Write).fact(FactEdit::Set(Fact::Loss(there)));
    Store::apply(&store, change.fact(FactEdit::Set(Fact::Erasing))).unwrap();
    assert_eq!(fact(FactKind::Loss), Some(Fact::Loss(there)));
    assert_eq!(fact(FactKind::Erasing), Some(Fact::Erasing));
    let maintain = store.maintain().unwrap();
    assert!(maintain.check(CheckDepth::Whole).unwrap().is_empty());
}

#[test]
fn the_last_entries_of_present_refs_end_a_log() {
    let store = MemoryStore::default();
    for (to, n) in [("a", Some(1)), ("b", Some(2)), ("a", Some(3)), ("b", None)] {
        point(&store, to, n);
    }
    let mut relink = Relink::new(Version::default());
    for row in store.state().log.iter() {
        assert_eq!(relink.next(row.clone(), &mut |_| Fate::Stays).as_ref(), Some(row));
    }
    assert_eq!(relink.ends().collect::<Vec<_>>(), [(name("a"), 3)]);
}

/// The refs of a copy point where the last rows of their own logs lead, so they need no row more.
#[test]
fn a_copy_of_two_refs_has_the_rows_of_its_history_only() {
    let row = |seq, to: &str, n| LogEntry {
        seq,
        name: name(to),
        before: None,
        after: Some(block(n).cid()),
        at_micros: 1,
        event: Event::Write,
        message: String::new(),
    };
    let edit = |to: &str, n| RefEdit {
        name: name(to),
        target: Some(block(n).cid()),
        expect: Default::default(),
    };
    let copy = Change::new(Event::Set)
        .blocks([1, 2].map(|n| Ok(block(n))))
        .edits([edit("a", 1), edit("b", 2)])
        .history([Ok(row(1, "a", 1)), Ok(row(2, "b", 2))]);
    let applied = MemoryStore::default().apply(copy).unwrap();
    assert_eq!(applied.version.change, 2);
}
