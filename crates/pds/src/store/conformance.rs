//! The suite that every store must pass.
//!
//! ```
//! use pds::store::{MemoryStore, conformance};
//!
//! conformance::check(&|| Box::new(MemoryStore::default()));
//! ```

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::{Applied, BoxError, Expect, RefEdit, RefName, Store, StoreError};
use crate::data::{Block, Cid, Codec};

/// Runs the whole suite; each check gets an empty store of its own.
///
/// ```
/// use pds::store::{MemoryStore, conformance};
///
/// conformance::check(&|| Box::new(MemoryStore::default()));
/// ```
///
/// # Panics
///
/// When the store does something else than the trait says.
pub fn check(make: &dyn Fn() -> Box<dyn Store>) {
    let checks: [fn(&dyn Store); 14] = [
        an_empty_store_has_nothing,
        blocks_come_in_with_a_ref_and_are_read_back,
        many_blocks_are_read_in_the_order_of_the_question,
        blocks_that_are_there_are_not_counted_again,
        an_expectation_that_fails_changes_nothing,
        several_edits_are_made_together_or_not_at_all,
        a_ref_never_points_at_nothing,
        a_stream_that_fails_changes_nothing,
        a_stream_may_read_the_store_it_goes_into,
        every_move_is_logged,
        a_sweep_keeps_what_lives_and_notices_changes,
        meta_is_kept,
        every_block_is_shown_as_it_stands,
        mending_adds_what_is_missing_and_drops_nothing_that_is_sound,
    ];
    for check in checks {
        check(make().as_ref());
    }
}

fn an_empty_store_has_nothing(store: &dyn Store) {
    let refs = store.refs().expect("refs");
    assert!(refs.entries.is_empty());
    assert_eq!(store.block_count().expect("count"), 0);
    assert_eq!(store.get(&block(1).cid()).expect("get"), None);
    assert!(store.log(&RefName::head(), 10).expect("log").is_empty());
}

fn blocks_come_in_with_a_ref_and_are_read_back(store: &dyn Store) {
    let before = store.refs().expect("refs").version;
    let blocks = [block(1), block(2), Block::new(Codec::Raw, [])];
    let done = add(store, &blocks, &[edit("HEAD", Some(blocks[0].cid()), Expect::Absent)]);
    assert_eq!(done.expect("applied").new_blocks, 3);
    for block in &blocks {
        assert_eq!(store.get(&block.cid()).expect("get").as_ref(), Some(block));
    }
    let refs = store.refs().expect("refs");
    assert_eq!(refs.entries, [(RefName::head(), blocks[0].cid())]);
    assert!(refs.version > before, "the version grows");
    assert!(matches!(add(store, &[block(3)], &[]), Err(StoreError::NoEdits)));
}

fn many_blocks_are_read_in_the_order_of_the_question(store: &dyn Store) {
    let blocks: Vec<Block> = (0..500).map(block).collect();
    let head = edit("HEAD", Some(blocks[0].cid()), Expect::Any);
    add(store, &blocks, &[head]).expect("applied");
    let absent = block(1_000).cid();
    let mut asked: Vec<Cid> = blocks.iter().rev().map(Block::cid).collect();
    asked.insert(250, absent);
    asked.push(blocks[7].cid());
    let answers = store.get_many(&asked).expect("get_many");
    assert_eq!(answers.len(), asked.len());
    for (cid, answer) in asked.iter().zip(answers) {
        assert_eq!(answer.map(|block| block.cid()), (*cid != absent).then_some(*cid));
    }
    assert!(store.get_many(&[]).expect("get_many").is_empty());
    assert_eq!(store.block_count().expect("count"), 500);
}

fn blocks_that_are_there_are_not_counted_again(store: &dyn Store) {
    let head = || edit("HEAD", Some(block(1).cid()), Expect::Any);
    add(store, &[block(1), block(2)], &[head()]).expect("applied");
    let done = add(store, &[block(2), block(3), block(3)], &[head()]).expect("applied");
    assert_eq!(done.new_blocks, 1);
    assert_eq!(store.block_count().expect("count"), 3);
}

fn an_expectation_that_fails_changes_nothing(store: &dyn Store) {
    let (one, two) = (block(1).cid(), block(2).cid());
    for wrong in [Expect::Present, Expect::Exactly(one)] {
        let done = add(store, &[block(1)], &[edit("HEAD", Some(one), wrong)]);
        assert!(matches!(done, Err(StoreError::Moved { found: None, .. })), "{wrong:?}");
    }
    add(store, &[block(1)], &[edit("HEAD", Some(one), Expect::Absent)]).expect("applied");
    let version = store.refs().expect("refs").version;
    for wrong in [Expect::Absent, Expect::Exactly(two)] {
        let done = add(store, &[block(2)], &[edit("HEAD", Some(two), wrong)]);
        match done {
            Err(StoreError::Moved { name, expected, found }) => {
                assert_eq!((name, expected, found), (RefName::head(), wrong, Some(one)));
            }
            other => panic!("{other:?}"),
        }
    }
    let refs = store.refs().expect("refs");
    assert_eq!((refs.version, refs.get(&RefName::head())), (version, Some(one)));
    assert_eq!(store.get(&two).expect("get"), None);
    assert_eq!(store.log(&RefName::head(), 10).expect("log").len(), 1);
    for right in [Expect::Present, Expect::Exactly(one), Expect::Any] {
        add(store, &[], &[edit("HEAD", Some(one), right)]).expect("applied");
    }
}

fn several_edits_are_made_together_or_not_at_all(store: &dyn Store) {
    let (one, two) = (block(1).cid(), block(2).cid());
    let edits = [edit("a", Some(one), Expect::Absent), edit("b", Some(two), Expect::Present)];
    assert!(add(store, &[block(1), block(2)], &edits).is_err());
    assert!(store.refs().expect("refs").entries.is_empty());
    let edits = [edit("b", Some(two), Expect::Absent), edit("a", Some(one), Expect::Absent)];
    add(store, &[block(1), block(2)], &edits).expect("applied");
    let names: Vec<_> = store.refs().expect("refs").entries.into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, [name("a"), name("b")], "by name");
    add(store, &[], &[edit("a", None, Expect::Exactly(one))]).expect("removed");
    assert_eq!(store.refs().expect("refs").entries, [(name("b"), two)]);
}

fn a_ref_never_points_at_nothing(store: &dyn Store) {
    let done = add(store, &[block(1)], &[edit("HEAD", Some(block(2).cid()), Expect::Any)]);
    assert!(matches!(done, Err(StoreError::TargetMissing { .. })));
    assert_eq!(store.block_count().expect("count"), 0);
}

fn a_stream_that_fails_changes_nothing(store: &dyn Store) {
    let mut stream = (0..5_000).map(block).map(Ok).chain([Err(BoxError::from("cut"))]);
    let head = edit("HEAD", Some(block(0).cid()), Expect::Any);
    let done = store.apply(&mut stream, &[head], "test");
    assert!(matches!(done, Err(StoreError::Blocks(error)) if error.to_string() == "cut"));
    assert_eq!(store.block_count().expect("count"), 0);
    assert!(store.refs().expect("refs").entries.is_empty());
}

fn a_stream_may_read_the_store_it_goes_into(store: &dyn Store) {
    let head = || edit("HEAD", Some(block(0).cid()), Expect::Any);
    add(store, &[block(0)], &[head()]).expect("applied");
    let mut stream = (0..5_000).map(|n| {
        assert!(store.get(&block(0).cid())?.is_some());
        Ok(block(n))
    });
    let done = store.apply(&mut stream, &[head()], "test").expect("applied");
    assert_eq!(done.new_blocks, 4_999);
}

fn every_move_is_logged(store: &dyn Store) {
    let (one, two) = (block(1).cid(), block(2).cid());
    add(store, &[block(1)], &[edit("HEAD", Some(one), Expect::Any)]).expect("applied");
    add(store, &[], &[edit("side", Some(one), Expect::Any)]).expect("applied");
    add(store, &[block(2)], &[edit("HEAD", Some(two), Expect::Any)]).expect("applied");
    add(store, &[], &[edit("HEAD", None, Expect::Any)]).expect("applied");
    let log = store.log(&RefName::head(), 10).expect("log");
    let moves: Vec<_> = log.iter().map(|entry| (entry.before, entry.after)).collect();
    assert_eq!(moves, [(Some(two), None), (Some(one), Some(two)), (None, Some(one))]);
    assert!(log.windows(2).all(|pair| pair[0].seq > pair[1].seq));
    assert!(
        log.iter().all(|entry| entry.note == "test" && entry.at_micros > 1_700_000_000_000_000)
    );
    assert_eq!(store.log(&RefName::head(), 2).expect("log"), log[..2]);
    assert_eq!(store.log(&name("side"), 10).expect("log").len(), 1);
}

fn a_sweep_keeps_what_lives_and_notices_changes(store: &dyn Store) {
    let head = || edit("HEAD", Some(block(0).cid()), Expect::Any);
    let blocks: Vec<Block> = (0..100).map(block).collect();
    add(store, &blocks, &[head()]).expect("applied");
    let version = store.refs().expect("refs").version;
    let live: HashSet<Cid> = blocks.iter().step_by(3).map(Block::cid).collect();
    add(store, &[], &[head()]).expect("applied");
    assert!(matches!(store.sweep(&live, version), Err(StoreError::Changed)));
    assert_eq!(store.block_count().expect("count"), 100);
    let version = store.refs().expect("refs").version;
    assert_eq!(store.sweep(&live, version).expect("swept"), 66);
    for block in &blocks {
        let there = store.get(&block.cid()).expect("get").is_some();
        assert_eq!(there, live.contains(&block.cid()));
    }
}

fn meta_is_kept(store: &dyn Store) {
    assert_eq!(store.meta("key").expect("meta"), None);
    store.set_meta("key", Some("one")).expect("set");
    store.set_meta("key", Some("two")).expect("set");
    assert_eq!(store.meta("key").expect("meta").as_deref(), Some("two"));
    store.set_meta("key", None).expect("set");
    assert_eq!(store.meta("key").expect("meta"), None);
}

fn every_block_is_shown_as_it_stands(store: &dyn Store) {
    let blocks: Vec<Block> = (0..100).map(block).collect();
    add(store, &blocks, &[edit("HEAD", Some(block(0).cid()), Expect::Any)]).expect("applied");
    let mut shown = HashSet::new();
    let mut visit = |name: &[u8], bytes: &[u8]| {
        let cid = Cid::from_bytes(name).expect("a CID");
        assert!(cid.names(bytes) && store.get(&cid).expect("get").is_some());
        assert!(shown.insert(cid), "once");
        ControlFlow::Continue(())
    };
    store.scan(&mut visit).expect("scanned");
    assert_eq!(shown, blocks.iter().map(Block::cid).collect());
    let mut seen = 0;
    let mut first = |_: &[u8], _: &[u8]| {
        seen += 1;
        ControlFlow::Break(())
    };
    store.scan(&mut first).expect("scanned");
    assert_eq!(seen, 1);
}

fn mending_adds_what_is_missing_and_drops_nothing_that_is_sound(store: &dyn Store) {
    let head = edit("HEAD", Some(block(1).cid()), Expect::Any);
    add(store, &[block(1), block(2)], &[head]).expect("applied");
    let before = store.refs().expect("refs");
    let names: Vec<Vec<u8>> = [1, 2, 3].map(|n| block(n).cid().as_bytes().to_vec()).to_vec();
    let mut cut = [Ok(block(4)), Err(BoxError::from("cut"))].into_iter();
    assert!(matches!(store.mend(&mut cut, &names), Err(StoreError::Blocks(_))));
    assert_eq!(store.block_count().expect("count"), 2);
    let mended = store.mend(&mut [Ok(block(2)), Ok(block(3))].into_iter(), &names);
    let mended = mended.expect("mended");
    assert_eq!((mended.added, mended.dropped), (1, 0));
    assert_eq!(store.block_count().expect("count"), 3);
    assert_eq!(store.get(&block(3).cid()).expect("get"), Some(block(3)));
    assert_eq!(store.refs().expect("refs"), before, "no ref moves");
}

fn block(n: u32) -> Block {
    Block::new(Codec::Cbor, crate::data::Value::from(n).encode())
}

fn name(text: &str) -> RefName {
    text.parse().expect("a name")
}

fn edit(to: &str, target: Option<Cid>, expect: Expect) -> RefEdit {
    RefEdit { name: name(to), target, expect }
}

fn add(store: &dyn Store, blocks: &[Block], edits: &[RefEdit]) -> Result<Applied, StoreError> {
    store.apply(&mut blocks.iter().cloned().map(Ok), edits, "test")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_store_in_memory_conforms() {
        super::check(&|| Box::<crate::store::MemoryStore>::default());
    }
}
