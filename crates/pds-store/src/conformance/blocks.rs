//! Checks of blocks: they are stored from streams, and read back.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::change::Change;
use crate::conformance::support::{
    Check, KEYS, apply, assert_count, block, cid, cut, everything, get_each, has, head, is_cut,
    refs, refused, version, view, write,
};
use crate::error::StoreError;
use crate::event::Event;
use crate::fact::{Fact, FactEdit};
use crate::ref_name::RefName;
use crate::store::Store;
use crate::version::Version;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::{Cid, Codec};

pub(crate) const CHECKS: &[Check] = &[
    ("an empty store has nothing", an_empty_store_has_nothing),
    ("stored blocks are read back", blocks_are_read_back),
    ("`get_many` returns results in the order of the CIDs", many_blocks_are_read_in_order),
    ("the result of `get_many` may be bounded", large_blocks_are_read_in_order),
    ("a stored block is not new", stored_blocks_are_not_counted_again),
    ("a CID names a codec and bytes", codecs_make_different_blocks),
    ("a stream that fails leaves nothing", a_stream_that_fails_leaves_nothing),
    ("a stream that panics leaves nothing", a_stream_that_panics_leaves_nothing),
    ("a stream may read the store that it is written to", a_stream_may_read_the_store),
];

fn an_empty_store_has_nothing(store: &dyn Store) {
    let empty = everything(store);
    assert_eq!(empty.version, Version::default(), "an empty store has version 0");
    assert!(empty.refs.is_empty(), "an empty store has no refs");
    assert!(empty.log.is_empty(), "an empty store has no log rows");
    assert!(empty.facts.is_empty(), "an empty store has no facts");
    assert_count(store, 0, "an empty store has no blocks");
    assert!(!has(store, 1), "a missing block is `None`");
    assert!(!has(view(store).as_ref(), 1), "a missing block is `None` in a view");
}

fn blocks_are_read_back(store: &dyn Store) {
    let before = version(store);
    let blocks = [block(1), block(2), Block::new(Codec::Raw, b"")];
    let change = Change::new(Event::Write).blocks(blocks.clone().map(Ok)).edit(head(1));
    let applied = apply(store, change);
    assert_eq!(applied.new_blocks, 3, "`new_blocks` counts the blocks that were missing");
    let view = view(store);
    for block in &blocks {
        for reader in [store as &dyn Blocks, view.as_ref()] {
            let found = reader.get(&block.cid()).expect("a stored block is read");
            assert_eq!(found.as_ref(), Some(block), "a stored block is read back");
        }
    }
    assert_eq!(
        refs(view.as_ref()).as_slice(),
        [(RefName::head(), cid(1))],
        "an edit moves its ref"
    );
    assert_eq!(view.version(), applied.version, "`apply` returns the version after the change");
    assert!(view.version().change > before.change, "the number of changes grows with each change");
    assert_eq!(view.version().sweep, before.sweep, "a change without a sweep is no sweep");
    let error = refused(store, write([3], []), "a change needs an edit");
    assert!(matches!(error, StoreError::NoEdits), "a change needs an edit: {error:?}");
}

/// Checks one result of `get_many`, and then the results of repeated calls.
fn assert_many(blocks: &dyn Blocks, asked: &[Cid], expected: &[Option<Block>]) {
    let first: Result<Vec<_>, _> = blocks.get_many(asked).into_iter().collect();
    let first = first.expect("`get_many` reads blocks that are stored or missing");
    assert!(!first.is_empty(), "`get_many` returns at least one result");
    assert!(
        expected.starts_with(&first),
        "`get_many` returns results for a prefix of the CIDs, in order"
    );
    assert_eq!(
        get_each(blocks, asked),
        expected,
        "`get_many` returns results in the order of the CIDs"
    );
}

fn many_blocks_are_read_in_order(store: &dyn Store) {
    apply(store, write(0..500, [head(0)]));
    let mut asked: Vec<u32> = (0..500).rev().collect();
    asked.insert(250, 1_000);
    asked.extend([7, 7, 1_000, 3]);
    let expected: Vec<_> = asked.iter().map(|n| (*n != 1_000).then(|| block(*n))).collect();
    let asked: Vec<Cid> = asked.into_iter().map(cid).collect();
    let view = view(store);
    for reader in [store as &dyn Blocks, view.as_ref()] {
        assert_many(reader, &asked, &expected);
        assert_many(reader, &asked[250..251], &[None]);
        assert!(reader.get_many(&[]).is_empty(), "`get_many` returns no results for an empty list");
        assert!(reader.batch() > 0, "`batch` is at least one block");
    }
    assert_count(store, 500, "each block is stored once");
}

fn large_blocks_are_read_in_order(store: &dyn Store) {
    let blocks: Vec<Block> =
        (0..12_u8).map(|n| Block::new(Codec::Raw, vec![n; 1_000_000])).collect();
    apply(store, write([0], [head(0)]).blocks(blocks.iter().cloned().chain([block(0)]).map(Ok)));
    let asked: Vec<Cid> = blocks.iter().map(Block::cid).collect();
    let expected: Vec<_> = blocks.into_iter().map(Some).collect();
    assert_many(store, &asked, &expected);
    assert_many(view(store).as_ref(), &asked, &expected);
}

fn stored_blocks_are_not_counted_again(store: &dyn Store) {
    apply(store, write([1, 2], [head(1)]));
    let applied = apply(store, write([2, 3, 3], [head(1)]));
    assert_eq!(applied.new_blocks, 1, "a block that is stored, or comes twice, is not new");
    assert_count(store, 3, "each block is stored once");
    let applied = apply(store, write([1, 2, 3], [head(1)]));
    assert_eq!(applied.new_blocks, 0, "a block that is stored is not new");
}

fn codecs_make_different_blocks(store: &dyn Store) {
    let both = [Codec::Raw, Codec::Cbor].map(|codec| Block::new(codec, *b"\xa0"));
    let blocks = (0..10_000).map(block);
    let blocks = both.iter().cloned().chain(blocks).chain(both.iter().cloned());
    let applied = apply(store, write([], [head(0)]).blocks(blocks.map(Ok)));
    assert_eq!(applied.new_blocks, 10_002, "the same bytes of two codecs are two blocks");
    for block in both {
        let found = store.get(&block.cid()).expect("a stored block is read");
        assert_eq!(found, Some(block), "the same bytes of two codecs are two blocks");
    }
}

/// A change with all parts, so that a failed change could leave any of them behind.
fn full(
    blocks: impl Iterator<Item = Result<Block, crate::error::BoxError>> + 'static,
) -> Change<'static> {
    let fact = FactEdit::Set(Fact::Key(KEYS[0].parse().expect("a key")));
    Change::new(Event::Write).blocks(blocks).edit(head(0)).fact(fact)
}

fn a_stream_that_fails_leaves_nothing(store: &dyn Store) {
    let stream = |count: u32| (100..100 + count).map(|n| Ok(block(n))).chain([cut()]);
    for count in [0, 1, 5_000, 20_000] {
        let error =
            refused(store, full(stream(count)), "a change fails with the error of its stream");
        assert!(is_cut(&error), "a change fails with the error of its stream: {error:?}");
        assert!(!has(store, 100), "a failed change leaves no block");
    }
    apply(store, write([0], [head(0)]));
    let error = refused(store, full(stream(5_000)), "a change fails with the error of its stream");
    assert!(is_cut(&error), "a change fails with the error of its stream: {error:?}");
    assert!((100..5_100).all(|n| !has(store, n)), "a failed change leaves no block");
    let applied = apply(store, write(100..5_100, [head(0)]));
    assert_eq!(applied.new_blocks, 5_000, "a change can be repeated after it has failed");
    assert!((100..5_100).all(|n| has(store, n)), "a change can be repeated after it has failed");
}

fn a_stream_that_panics_leaves_nothing(store: &dyn Store) {
    apply(store, write([0], [head(0)]));
    let before = everything(store);
    // The message of the panic is not printed.
    let stream = (1..500).map(|n| if n < 400 { Ok(block(n)) } else { resume_unwind(Box::new(())) });
    let made = catch_unwind(AssertUnwindSafe(|| store.apply(full(stream)).is_ok()));
    assert!(made.is_err(), "a panic of a stream reaches the caller");
    assert_eq!(everything(store), before, "a change whose stream panics leaves nothing");
    assert!((1..400).all(|n| !has(store, n)), "a change whose stream panics leaves no block");
    let applied = apply(store, write(1..500, [head(1)]));
    assert_eq!(
        applied.new_blocks, 499,
        "a store still works after the stream of a change has panicked"
    );
}

fn a_stream_may_read_the_store(store: &dyn Store) {
    let before = apply(store, write([0], [head(0)])).version;
    let stream = (0..5_000).map(|n| {
        if n % 50 == 0 {
            let view = store.view()?;
            assert_eq!(view.version(), before, "an unfinished change is not seen");
            assert_eq!(
                view.refs()?.get(&RefName::head()),
                Some(cid(0)),
                "an unfinished change is not seen"
            );
            let found = get_each(store, &[cid(0), cid(9_999), cid(0)]);
            let expected = [Some(block(0)), None, Some(block(0))];
            assert_eq!(found, expected, "a stream may read the store that it is written to");
            assert!(has(view.as_ref(), 0), "a stream may read the store that it is written to");
        }
        assert!(store.get(&cid(0))?.is_some(), "a stream may read the store that it is written to");
        Ok(block(n))
    });
    let change = Change::new(Event::Write).blocks(stream).edit(head(4_999));
    assert_eq!(apply(store, change).new_blocks, 4_999, "a stored block is not new");
    assert!(has(store, 4_999), "stored blocks are read back");
}
