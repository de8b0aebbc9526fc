use std::collections::BTreeMap;

use super::*;
use crate::data::block::{Block, MemoryBlocks, ReadError};
use crate::data::cid::Codec;
use crate::mst::encoder::Encoder;
use crate::mst::key::{Key, height};
use crate::mst::node::EMPTY_NODE;
use crate::mst::range::range;
use crate::mst::tree::Tree;

/// Blocks with a cache. They record the CIDs that are read from them.
struct Noted {
    blocks: Mutex<MemoryBlocks>,
    asked: Mutex<Vec<Cid>>,
    cache: NodeCache,
}

impl Noted {
    fn new(blocks: &MemoryBlocks, max_bytes: usize) -> Self {
        let (blocks, asked) = (Mutex::new(blocks.clone()), Mutex::default());
        Self { blocks, asked, cache: NodeCache::new(max_bytes) }
    }

    fn source(&self) -> Source<'_> {
        Source { blocks: self, cache: Some(&self.cache) }
    }

    fn tree(&self, root: Cid) -> Tree<'_> {
        Tree::open(self, root).cached(&self.cache)
    }

    fn asked(&self) -> Vec<Cid> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Blocks for Noted {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.asked.lock().unwrap().push(*cid);
        self.blocks.lock().unwrap().get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }
}

fn get(noted: &Noted, root: Cid, key: &[u8]) -> Result<Option<Cid>, MstError> {
    noted.tree(root).get(key)
}

fn value(n: u32) -> Cid {
    Cid::of(Codec::Cbor, &n.to_be_bytes())
}

fn key(n: u32) -> Vec<u8> {
    // Consecutive numbers give keys that are far apart in key order.
    format!("com.example.note/{:08x}", n.wrapping_mul(2_654_435_761)).into_bytes()
}

/// Returns the nodes and the root of a tree with this many keys.
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
fn a_second_descent_reads_nothing() {
    let (blocks, root) = tree(2_000);
    let nodes = blocks.len();
    let noted = Noted::new(&blocks, 1 << 24);
    for round in 0..2 {
        for n in 0..2_000 {
            assert_eq!(get(&noted, root, &key(n)).unwrap(), Some(value(n)));
            assert_eq!(get(&noted, root, &key(n + 2_000)).unwrap(), None);
        }
        let asked = noted.asked().len();
        // The tree includes nodes without entries.
        assert_eq!(asked, if round == 0 { nodes } else { 0 });
    }
}

/// Reads the whole tree once without a limit, and returns the memory of its nodes in bytes.
fn all_bytes(blocks: &MemoryBlocks, root: Cid, keys: u32) -> usize {
    let noted = Noted::new(blocks, usize::MAX);
    for n in 0..keys {
        get(&noted, root, &key(n)).unwrap();
    }
    noted.cache.bytes()
}

#[test]
fn memory_stays_within_the_limit_and_dropped_nodes_are_read_again() {
    let (blocks, root) = tree(5_000);
    let max = all_bytes(&blocks, root, 5_000) / 4;
    let noted = Noted::new(&blocks, max);
    let mut asked = 0;
    for n in (0..20_000).map(|n: u32| n.wrapping_mul(40_503) % 5_000) {
        assert_eq!(get(&noted, root, &key(n)).unwrap(), Some(value(n)));
        asked += noted.asked().len();
        assert!(noted.cache.bytes() <= max, "{} of {max}", noted.cache.bytes());
    }
    let held = noted.cache.bytes();
    assert!(held > max / 16 && asked > 5_000, "{held} held, {asked} asked");
    // A listing adds only the root to the cache.
    assert_eq!(range(&noted, root, ..).cached(&noted.cache).filter(Result::is_ok).count(), 5_000);
    assert!(noted.cache.bytes() <= max.max(held));
}

#[test]
fn memory_stays_within_the_limit_while_a_tree_is_edited() {
    let (blocks, mut root) = tree(1_000);
    let max = all_bytes(&blocks, root, 1_000) / 4;
    let noted = Noted::new(&blocks, max);
    let mut expected: BTreeMap<Vec<u8>, Cid> = (0..1_000).map(|n| (key(n), value(n))).collect();
    for n in 0..600 {
        let mut tree = noted.tree(root);
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
        assert!(noted.cache.bytes() <= max, "{}", noted.cache.bytes());
    }
    for (key, value) in &expected {
        assert_eq!(get(&noted, root, key).unwrap(), Some(*value));
    }
}

#[test]
fn a_removal_that_would_join_misplaced_subtrees_is_refused() {
    let text = |n: u32| format!("a/{n}");
    let mut low = (0..).map(text).filter(|text| height(text.as_bytes()) == 0);
    let (first, second) = (low.next().unwrap(), low.find(|text| text.starts_with("a/9")).unwrap());
    let middle = (3..).map(text).find(|text| {
        height(text.as_bytes()) == 1 && first.as_str() < text && text.as_str() < second.as_str()
    });
    let middle = middle.unwrap();
    let mut encoder = Encoder::default();
    let mut node = |key: &str, left: Option<&Block>, right: Option<&Block>| {
        encoder.entry(key.as_bytes(), &value(1), right.map(Block::cid).as_ref());
        encoder.finish(left.map(Block::cid).as_ref())
    };
    let (lesser, greater) = (node(&first, None, None), node(&second, None, None));
    for (left, right, misplaced) in
        [(&greater, &greater, &greater), (&lesser, &lesser, &lesser), (&greater, &lesser, &greater)]
    {
        let root = node(&middle, Some(left), Some(right));
        let all = [lesser.clone(), greater.clone(), root.clone()];
        let noted = Noted::new(&all.into_iter().collect(), 1 << 20);
        let mut tree = noted.tree(root.cid());
        let refused = tree.remove(middle.as_bytes()).unwrap_err();
        assert!(matches!(refused, MstError::Invalid { cid, .. } if cid == misplaced.cid()));
        assert_eq!(tree.write().unwrap().root, root.cid(), "the tree is as it was");
        assert_eq!(tree.get(middle.as_bytes()).unwrap(), Some(value(1)));
        // The same happens after an edit of the misplaced node, whose CID is not known yet.
        for key in [&first, &second] {
            tree.insert(Key::new(key.as_bytes()).unwrap(), value(2)).unwrap();
        }
        let expected = tree.clone().write().unwrap();
        assert!(matches!(tree.remove(middle.as_bytes()), Err(MstError::Invalid { .. })));
        assert_eq!(tree.write().unwrap(), expected, "the tree is as it was, and not written");
    }
}

#[test]
fn after_a_clear_every_node_is_read() {
    let (blocks, root) = tree(500);
    let noted = Noted::new(&blocks, 1 << 24);
    for n in 0..500 {
        get(&noted, root, &key(n)).unwrap();
    }
    let lost = *noted.asked().last().unwrap();
    noted.blocks.lock().unwrap().remove(&lost);
    assert!((0..500).all(|n| get(&noted, root, &key(n)).is_ok()), "the node is in the cache");
    noted.cache.clear();
    assert_eq!(noted.cache.bytes(), 0);
    let missing =
        |n| matches!(get(&noted, root, &key(n)), Err(MstError::Missing { cid }) if cid == lost);
    assert!((0..500).any(missing));
}

#[test]
fn a_node_without_entries_is_checked_for_each_level() {
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
        let at = |block: &Block, position| noted.source().node(block.cid(), position).map(drop);
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

#[test]
fn memory_is_bounded_and_nodes_in_use_stay() {
    let (blocks, _) = tree(5_000);
    let read = |block: &Block| {
        let node = Node::read(block.cid(), block.bytes(), Position::Root).ok()?;
        Some((block.cid(), Arc::new(node)))
    };
    let nodes: Vec<(Cid, Arc<Node>)> = blocks.iter().filter_map(read).take(1_000).collect();
    assert_eq!(nodes.len(), 1_000);
    let max = nodes.iter().map(|(_, node)| bytes(node)).sum::<usize>() / 10;
    let cache = NodeCache::new(max);
    for (cid, node) in &nodes {
        cache.insert(*cid, node.clone());
        assert!(cache.get(&nodes[0].0).is_some(), "in use all the time");
        assert!(cache.bytes() <= max);
    }
    let held = nodes.iter().filter(|(cid, _)| cache.get(cid).is_some()).count();
    assert!((10..=200).contains(&held), "{held}");
    // Nodes that are used again take the place of others.
    for (cid, _) in nodes.iter().chain(&nodes).rev() {
        cache.get(cid);
    }
    for (cid, node) in &nodes[..100] {
        cache.insert(*cid, node.clone());
        assert!(cache.bytes() <= max);
    }
    for (_, node) in &nodes {
        let content: usize = node.entries().map(|entry| entry.key.len() + 2 * Cid::LEN).sum();
        assert!(bytes(node) > node.memory() && node.memory() > content);
    }
    let small = NodeCache::new(2 * bytes(&nodes[0].1) - 1);
    small.insert(nodes[0].0, nodes[0].1.clone());
    assert!(small.get(&nodes[0].0).is_none(), "too large to be kept");
    cache.clear();
    assert!(cache.get(&nodes[0].0).is_none());
}

#[test]
fn nodes_of_exactly_the_limit_are_kept() {
    let keys = (0..).map(key).filter(|key| height(key) == 0).take(3);
    let nodes: Vec<(Cid, Arc<Node>)> = keys
        .map(|key| {
            let mut encoder = Encoder::default();
            encoder.entry(&key, &value(0), None);
            let block = encoder.finish(None);
            let node = Node::read(block.cid(), block.bytes(), Position::Root).unwrap();
            (block.cid(), Arc::new(node))
        })
        .collect();
    let size = bytes(&nodes[0].1);
    assert!(nodes.iter().all(|(_, node)| bytes(node) == size));
    // One half holds one node, or two.
    for (max, kept) in [(2 * size, [false, true, true]), (4 * size, [true, true, true])] {
        let cache = NodeCache::new(max);
        for (cid, node) in &nodes {
            cache.insert(*cid, node.clone());
        }
        assert_eq!([0, 1, 2].map(|n| cache.get(&nodes[n].0).is_some()), kept, "{max}");
    }
}

#[test]
fn a_listing_keeps_only_the_root() {
    let (blocks, root) = tree(500);
    let noted = Noted::new(&blocks, 1 << 24);
    for again in [0, 1] {
        assert_eq!(range(&noted, root, ..).cached(&noted.cache).filter(Result::is_ok).count(), 500);
        let asked = noted.asked();
        assert_eq!((asked.len(), asked.contains(&root)), (blocks.len() - again, again == 0));
    }
}
