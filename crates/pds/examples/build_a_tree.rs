//! A Merkle search tree of your own blocks: built in key order, read by range, and compared.
#![allow(clippy::print_stdout)]

use pds::data::{Cid, Codec, MemoryBlocks};
use pds::mst::{Builder, Key, Tree, diff};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut blocks = MemoryBlocks::default();
    let value = |text: &str| Cid::of(Codec::Cbor, text.as_bytes());
    let mut builder = Builder::default();
    let mut nodes = Vec::new();
    for n in 0..1_000 {
        let key = format!("com.example.note/{n:04}");
        builder.push(key.as_bytes(), value(&key), |node| nodes.push(node))?;
    }
    let first = builder.finish(|node| nodes.push(node));
    blocks.extend(nodes);

    let mut tree = Tree::open(&blocks, first);
    tree.insert(Key::new(*b"com.example.note/0500")?, value("changed"))?;
    let written = tree.write()?;
    let (second, new) = (written.root, written.nodes.len());
    blocks.extend(written.nodes);
    println!("{} nodes, {new} of them new", blocks.len());

    let changes: Vec<_> = diff(&blocks, Some(first), Some(second)).collect::<Result<_, _>>()?;
    assert_eq!(changes.len(), 1);
    let from = Key::new(*b"com.example.note/0990")?;
    assert_eq!(Tree::open(&blocks, second).range(from..).count(), 10);
    Ok(())
}
