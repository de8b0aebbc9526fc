//! Tree nodes: a node that is accepted is the one that the builder makes of its entries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pds::data::{Block, Codec};
use pds::mst::{Builder, Node, Position, height};

fuzz_target!(|bytes: &[u8]| {
    let block = Block::new(Codec::Cbor, bytes);
    let Ok(node) = Node::read(block.cid(), bytes, Position::Root) else { return };
    assert!(node.entries().map(|entry| entry.key).is_sorted_by(|one, next| one < next));
    assert!(node.entries().all(|entry| height(entry.key) == node.level()));
    if node.subtrees().next().is_some() {
        return;
    }
    // A node without subtrees is a whole tree.
    let (mut builder, mut made) = (Builder::default(), Vec::new());
    for entry in node.entries() {
        builder.push(entry.key, entry.value, |node| made.push(node)).expect("the keys ascend");
    }
    assert_eq!(builder.finish(|node| made.push(node)), block.cid());
    assert_eq!(made, [block]);
});
