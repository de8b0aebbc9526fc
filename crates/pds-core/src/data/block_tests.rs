//! Tests of blocks in memory, and of reading several at once.

use super::*;

fn blocks() -> [Block; 3] {
    [1, 2, 3].map(|n| Block::new(Codec::Raw, vec![n]))
}

#[test]
fn reading_one_by_one_is_bounded_in_bytes() {
    let large = MAX_TOGETHER_BYTES / 2;
    let blocks: Vec<Block> = (0..6_u8).map(|n| Block::new(Codec::Raw, vec![n; large])).collect();
    let asked: Vec<Cid> = blocks.iter().map(Block::cid).collect();
    let stored: MemoryBlocks = blocks.into_iter().collect();
    assert_eq!(one_by_one(&stored, &asked).len(), 2);
    assert!(one_by_one(&stored, &[]).is_empty());
}

#[test]
fn a_block_is_in_memory_once_until_it_is_removed() {
    let [a, b, c] = blocks();
    let mut stored = MemoryBlocks::default();
    assert!(stored.is_empty());
    assert_eq!([&a, &b, &a].map(|block| stored.insert(block.clone())), [true, true, false]);
    assert_eq!((stored.len(), stored.is_empty()), (2, false));
    assert_eq!([&a, &b, &c].map(|block| stored.contains(&block.cid())), [true, true, false]);
    assert_eq!(stored.get(&a.cid()).unwrap(), Some(a.clone()));
    assert_eq!(stored.get(&c.cid()).unwrap(), None);
    assert_eq!([&a, &c, &a].map(|block| stored.remove(&block.cid())), [true, false, false]);
    assert_eq!(stored.iter().collect::<Vec<_>>(), [&b]);
}

#[test]
fn only_the_chosen_blocks_are_retained() {
    let [a, b, c] = blocks();
    let mut stored: MemoryBlocks = [a.clone(), b.clone()].into_iter().collect();
    stored.extend([c.clone()]);
    stored.retain(|block| block.cid() != b.cid());
    assert_eq!([&a, &b, &c].map(|block| stored.contains(&block.cid())), [true, false, true]);
}

#[test]
fn a_borrowed_block_has_the_bytes_that_its_name_is_of() {
    let [a, b, _] = blocks();
    let read = BlockRef::verified(a.cid(), a.bytes()).unwrap();
    assert_eq!((read.cid(), read.bytes(), read.to_block()), (a.cid(), a.bytes(), a.clone()));
    let refused = BlockRef::verified(a.cid(), b.bytes());
    assert!(matches!(refused, Err(DataError::HashMismatch { found }) if found == b.cid()));
}
