use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::data::{Codec, MemoryBlocks, ReadError};
use crate::mst::node::Encoder;
use crate::mst::{Key, Step, Tree, get, height, range, walk};

/// Blocks with a memo; they note what they are asked for.
struct Noted {
    blocks: Mutex<MemoryBlocks>,
    asked: Mutex<Vec<Cid>>,
    memo: Memo,
}

impl Noted {
    fn new(blocks: &MemoryBlocks, max_bytes: usize) -> Self {
        // Copies, which nobody else holds.
        let blocks = blocks.iter().map(|block| block.borrowed().to_block()).collect();
        Self { blocks: Mutex::new(blocks), asked: Mutex::default(), memo: Memo::new(max_bytes) }
    }

    /// The same blocks, shared.
    fn copy(&self) -> MemoryBlocks {
        self.blocks.lock().unwrap().clone()
    }

    fn asked(&self) -> Vec<Cid> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// How many bytes of these blocks somebody else holds.
    fn held(&self) -> usize {
        let blocks = self.blocks.lock().unwrap();
        let held = blocks.iter().filter(|block| block.holders() > 1);
        held.map(|block| block.bytes().len()).sum()
    }
}

impl Blocks for Noted {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.asked.lock().unwrap().push(*cid);
        self.blocks.lock().unwrap().get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, ReadError> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }

    fn memo(&self) -> Option<&Memo> {
        Some(&self.memo)
    }
}

fn value(n: u32) -> Cid {
    Cid::of(Codec::Cbor, &n.to_be_bytes())
}

fn key(n: u32) -> Vec<u8> {
    // Neighbours in number are not neighbours in order.
    format!("com.example.note/{:08x}", n.wrapping_mul(2_654_435_761)).into_bytes()
}

/// A tree of this many keys.
fn tree(count: u32) -> (MemoryBlocks, Cid) {
    let mut blocks = MemoryBlocks::default();
    let nothing = MemoryBlocks::default();
    let mut tree = Tree::empty(&nothing);
    for n in 0..count {
        tree.insert(Key::new(key(n)).unwrap(), value(n)).unwrap();
    }
    let written = tree.write().unwrap();
    blocks.extend(written.nodes);
    (blocks, written.root)
}

#[test]
fn whoever_goes_down_again_asks_for_nothing() {
    let (blocks, root) = tree(2_000);
    let nodes = blocks.len();
    let noted = Noted::new(&blocks, 1 << 24);
    for round in 0..2 {
        for n in 0..2_000 {
            assert_eq!(get(&noted, root, &key(n)).unwrap(), Some(value(n)));
            assert_eq!(get(&noted, root, &key(n + 2_000)).unwrap(), None);
        }
        let asked = noted.asked().len();
        // Nodes without entries are among them.
        assert_eq!(asked, if round == 0 { nodes } else { 0 });
    }
}

#[test]
fn what_is_held_stays_within_the_memo_and_what_was_forgotten_is_found_again() {
    let (blocks, root) = tree(5_000);
    let all: usize = blocks.iter().map(|block| block.bytes().len()).sum();
    let max = all / 4;
    let noted = Noted::new(&blocks, max);
    let mut asked = 0;
    for n in (0..20_000).map(|n: u32| n.wrapping_mul(40_503) % 5_000) {
        assert_eq!(get(&noted, root, &key(n)).unwrap(), Some(value(n)));
        asked += noted.asked().len();
        assert!(noted.held() <= max, "{} of {max}", noted.held());
    }
    assert!(noted.held() > max / 16 && asked > 5_000, "{} held, {asked} asked", noted.held());
    // A listing follows no pointers and sets none.
    let held = noted.held();
    assert_eq!(range(&noted, root, ..).filter(Result::is_ok).count(), 5_000);
    assert!(noted.held() <= max.max(held));
}

#[test]
fn what_is_held_stays_within_the_memo_while_a_tree_is_edited() {
    let (blocks, mut root) = tree(1_000);
    let max = 40_000;
    let noted = Noted::new(&blocks, max);
    let mut expected: BTreeMap<Vec<u8>, Cid> = (0..1_000).map(|n| (key(n), value(n))).collect();
    for n in 0..600 {
        let mut tree = Tree::open(&noted, root);
        let (old, new) = (key(n), key(n + 1_000));
        tree.remove(&old).unwrap();
        tree.insert(Key::new(new.clone()).unwrap(), value(n)).unwrap();
        expected.remove(&old);
        expected.insert(new.clone(), value(n));
        let written = tree.write().unwrap();
        noted.blocks.lock().unwrap().extend(written.nodes);
        root = written.root;
        assert_eq!(get(&noted, root, &old).unwrap(), None);
        assert_eq!(get(&noted, root, &new).unwrap(), Some(value(n)));
        assert!(noted.held() <= max, "{}", noted.held());
    }
    for (key, value) in &expected {
        assert_eq!(get(&noted, root, key).unwrap(), Some(*value));
    }
}

#[test]
fn a_tree_that_has_come_by_is_known_as_far_as_there_is_room() {
    let (blocks, root) = tree(2_000);
    let all: usize = blocks.iter().map(|block| block.bytes().len()).sum();
    for (max, is_all) in [(1 << 24, true), (all / 3, false), (0, false)] {
        let noted = Noted::new(&blocks, max);
        let mut passing = Passing::new(&noted.memo);
        for step in walk(&noted.copy(), root) {
            if let Step::Node { block, node } = step.unwrap() {
                passing.node(&block, node.level());
            }
        }
        drop(passing);
        assert!(noted.held() <= max);
        for n in 0..2_000 {
            assert_eq!(get(&noted, root, &key(n)).unwrap(), Some(value(n)));
        }
        assert_eq!(noted.asked().is_empty(), is_all);
        assert!(noted.held() <= max);
    }
}

#[test]
fn after_a_clear_nothing_is_told_from_memory() {
    let (blocks, root) = tree(500);
    let noted = Noted::new(&blocks, 1 << 24);
    for n in 0..500 {
        get(&noted, root, &key(n)).unwrap();
    }
    let lost = *noted.asked().last().unwrap();
    noted.blocks.lock().unwrap().remove(&lost);
    assert!((0..500).all(|n| get(&noted, root, &key(n)).is_ok()), "it is remembered");
    noted.memo.clear();
    assert_eq!(noted.held(), 0);
    let missing =
        |n| matches!(get(&noted, root, &key(n)), Err(MstError::Missing { cid }) if cid == lost);
    assert!((0..500).any(missing));
}

#[test]
fn a_node_without_entries_is_judged_for_each_level() {
    let text = |n: u32| format!("a/{n}").into_bytes();
    let low = (0..).map(text).find(|text| height(text) == 0).unwrap();
    let mut encoder = Encoder::default();
    encoder.entry(&low, &value(1), None);
    let leaf = encoder.finish(None);
    let bridge = encoder.finish(Some(&leaf.cid()));
    let empty = Block::new(Codec::Cbor, EMPTY_NODE);
    let all = [leaf.clone(), bridge.clone(), empty.clone()];
    let noted = Noted::new(&all.into_iter().collect(), 1 << 20);
    for _ in 0..2 {
        let at = |block: &Block, position| Known::recall(&noted, block.cid(), position).map(|_| ());
        assert!(at(&bridge, Position::Child { level: 1 }).is_ok());
        assert!(at(&bridge, Position::Child { level: 0 }).is_err(), "a subtree below level 0");
        assert!(at(&bridge, Position::Root).is_err(), "a root without entries");
        assert!(at(&leaf, Position::Child { level: 0 }).is_ok());
        assert!(
            at(&leaf, Position::Child { level: 1 }).is_err(),
            "another level than its keys have"
        );
        assert!(at(&leaf, Position::Root).is_ok());
        assert!(at(&empty, Position::Root).is_ok());
        assert!(at(&empty, Position::Child { level: 0 }).is_err(), "an empty node below the root");
    }
}
