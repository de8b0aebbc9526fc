//! The suite for stores with more content than fits in memory.

use crate::change::Change;
use crate::conformance::support::{cut, everything, head, is_cut, view, write};
use crate::event::Event;
use crate::ref_name::RefName;
use crate::refs::{Expect, RefEdit};
use crate::store::Store;
use pds_core::data::block::{Block, get_all};
use pds_core::data::cid::Codec;

/// Checks that a long stream of large blocks is stored while it is produced, and that the store can
/// be read meanwhile.
///
/// The store must be empty. `bytes` is the length of the stream. The suite creates each block when
/// the store requests it, and keeps no block, so the memory in use is that of the store.
///
/// ```
/// use pds::store::{MemoryStore, conformance};
///
/// conformance::check_large(&MemoryStore::default(), 1 << 20);
/// ```
///
/// # Panics
///
/// If the store breaks a rule of the traits. The message names the rule.
pub fn check_large(store: &dyn Store, bytes: u64) {
    let count = bytes.div_ceil(BLOCK_BYTES as u64).max(4);
    let last = large(count - 1);
    let to_last =
        || RefEdit { name: RefName::head(), target: Some(last.cid()), expect: Expect::Absent };
    let before = everything(store);
    assert!(before.refs.is_empty(), "the suite starts with an empty store");

    let half = (0..count / 2).map(|n| Ok(large(n))).chain([cut()]);
    let failed = store.apply(Change::new(Event::Write).blocks(half).edit(to_last()));
    let error = failed.expect_err("a change fails with its stream");
    assert!(is_cut(&error), "a change fails with the error of its stream: {error:?}");
    assert_eq!(
        everything(store),
        before,
        "a failed change leaves nothing, however long its stream was"
    );

    let stream = (0..count).map(|n| {
        if n % 101 == 100 {
            assert!(
                view(store).refs()?.is_empty(),
                "an unfinished change is not seen, however long its stream is"
            );
        }
        Ok(large(n))
    });
    let applied = store.apply(Change::new(Event::Write).blocks(stream).edit(to_last()));
    let applied = applied.expect("a stream that is larger than memory is stored");
    assert_eq!(applied.new_blocks, count, "every block of a long stream is stored");

    for n in (0..count).step_by(17).chain([count - 1]) {
        let block = large(n);
        let found = store.get(&block.cid()).expect("a stored block is read");
        assert_eq!(found, Some(block), "every block of a long stream is read back");
    }
    let view = view(store);
    let some: Vec<Block> = (0..count.min(300)).map(large).collect();
    let cids: Vec<_> = some.iter().map(Block::cid).collect();
    for (block, found) in some.into_iter().zip(get_all(view.as_ref(), &cids)) {
        let found = found.expect("`get_many` reads stored blocks");
        assert_eq!(found, Some(block), "every block of a long stream is read back");
    }
    drop(view);
    store.apply(write([1], [head(1)])).expect("a store still works after a long stream");
}

/// Returns a block whose bytes cannot be compressed.
fn large(n: u64) -> Block {
    let mut bytes = Vec::with_capacity(BLOCK_BYTES);
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while bytes.len() < BLOCK_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    Block::new(Codec::Raw, bytes)
}

const BLOCK_BYTES: usize = 64 * 1024;
