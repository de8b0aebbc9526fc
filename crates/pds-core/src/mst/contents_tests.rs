use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::data::block::MemoryBlocks;
use crate::data::cid::Codec;
use crate::mst::model::{Entries, Model, Noted, Part, any_key};

/// One of a few records: two large ones, one that is nearly large, a small one, and one that is missing.
fn record(n: u8) -> Block {
    let len = match n {
        0 | 1 => LARGE_BYTES,
        2 => LARGE_BYTES - 1,
        _ => 10,
    };
    Block::new(Codec::Cbor, vec![n; len])
}

const MISSING: u8 = 4;

/// A content in a form that can be compared: its kind, its CID, its size, and its key.
type Shown = (&'static str, Cid, usize, Option<Key>);

fn shown(content: Content) -> Shown {
    let bytes = content.bytes();
    match content {
        Content::Node(block) => ("node", block.cid(), bytes, None),
        Content::Again { key, value } => ("again", value, bytes, Some(key)),
        Content::Record { key, value, found } => match found.unwrap() {
            Some(block) => {
                assert_eq!(block.cid(), value);
                ("record", value, bytes, Some(key))
            }
            None => ("missing", value, bytes, Some(key)),
        },
    }
}

/// Returns what the contents of a tree should be.
fn expected(model: &Model, records: &MemoryBlocks) -> Vec<Shown> {
    let mut large = HashSet::new();
    let parts = model.parts.iter().map(|part| match part {
        Part::Node(node) => ("node", node.block.cid(), node.block.bytes().len(), None),
        Part::Entry(key, value) => match records.get(value).unwrap() {
            None => ("missing", *value, 0, Some(key.clone())),
            Some(_) if large.contains(value) => ("again", *value, 0, Some(key.clone())),
            Some(block) => {
                let bytes = block.bytes().len();
                large.extend((bytes >= LARGE_BYTES).then_some(*value));
                ("record", *value, bytes, Some(key.clone()))
            }
        },
    });
    parts.collect()
}

proptest! {
    #[test]
    fn contents_are_the_nodes_and_records_of_the_specification(
        numbers in prop::collection::btree_map(any_key(), 0..=MISSING, 0..30),
        batch in prop::sample::select(vec![0, 1, 2, 3, 7, 64]),
        answers in 1..8_usize,
    ) {
        let records: MemoryBlocks = (0..MISSING).map(record).collect();
        let entries: Entries =
            numbers.into_iter().map(|(key, n)| (key, record(n).cid())).collect();
        let model = Model::of(&entries);
        let mut blocks = Noted::new(records.iter().chain(model.blocks().iter()).cloned().collect());
        (blocks.batch, blocks.answers) = (batch, answers);
        let found = contents(&blocks, model.root()).map(|content| shown(content.unwrap()));
        prop_assert_eq!(found.collect::<Vec<_>>(), expected(&model, &records));
        let is_record = |cid: &Cid| !model.cids().contains(cid);
        let asked = blocks.asked().into_iter().filter(is_record).count();
        if batch <= 1 {
            let read = |shown: &Shown| !matches!(shown.0, "node" | "again");
            prop_assert_eq!(asked, expected(&model, &records).iter().filter(|s| read(s)).count());
        }
    }
}
