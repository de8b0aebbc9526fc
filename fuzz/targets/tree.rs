//! Trees with valid hashes: every way to read one gives the same entries, and only canonical trees are accepted.
#![no_main]

use atpds_fuzz::{linked_blocks, stored};
use libfuzzer_sys::fuzz_target;
use pds::data::{Block, Cid};
use pds::mst::{Builder, Tree, diff, nodes, walk};

fuzz_target!(|input: &[u8]| {
    let blocks = linked_blocks(input);
    let Some(root) = blocks.last().map(Block::cid) else { return };
    let stored = stored(&blocks);
    let tree = Tree::open(&stored, root);
    let listed: Result<Vec<(Vec<u8>, Cid)>, _> = tree
        .range(..)
        .map(|entry| entry.map(|entry| (entry.key.as_bytes().to_vec(), entry.value)))
        .collect();
    let _ = walk(&stored, root).find(Result::is_err);
    let Ok(entries) = listed else { return };
    let (mut builder, mut made) = (Builder::default(), Vec::new());
    for (key, value) in &entries {
        builder.push(key, *value, |node| made.push(node)).expect("the keys ascend");
        assert_eq!(tree.get(key).expect("the tree is whole"), Some(*value));
    }
    assert_eq!(builder.finish(|node| made.push(node)), root, "a tree has one form");
    let read: Result<Vec<Block>, _> = nodes(&stored, root).collect();
    assert_eq!(read.expect("the tree is whole").len(), made.len());
    if let Some(other) = blocks.iter().rev().nth(1) {
        let _ = diff(&stored, Some(other.cid()), Some(root)).find(Result::is_err);
    }
});
