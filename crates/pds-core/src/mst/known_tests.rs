use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::data::block::{Blocks, MemoryBlocks, ReadError};
use crate::data::cid::Codec;
use crate::mst::key::{Key, height};
use crate::mst::node::Encoder;
use crate::mst::range::range;
use crate::mst::tree::Tree;

/// Blocks with a cache; they note the CIDs that they are asked for.
struct Noted {
    blocks: Mutex<MemoryBlocks>,
    asked: Mutex<Vec<Cid>>,
    cache: NodeCache,
}

impl Noted {
    fn new(blocks: &MemoryBlocks, max_bytes: usize) -> Self {
        // Copies, which nobody else holds.
        let blocks = blocks.iter().map(|block| block.borrowed().to_block()).collect();
        Self {
            blocks: Mutex::new(blocks),
            asked: Mutex::default(),
            cache: NodeCache::new(max_bytes),
        }
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
fn what_is_held_stays_within_the_cache_and_what_was_forgotten_is_found_again() {
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
    assert_eq!(range(&noted, root, ..).cached(&noted.cache).filter(Result::is_ok).count(), 5_000);
    assert!(noted.held() <= max.max(held));
}

#[test]
fn what_is_held_stays_within_the_cache_while_a_tree_is_edited() {
    let (blocks, mut root) = tree(1_000);
    let max = 40_000;
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
        assert!(noted.held() <= max, "{}", noted.held());
    }
    for (key, value) in &expected {
        assert_eq!(get(&noted, root, key).unwrap(), Some(*value));
    }
}

/// Follows pointers alone as far as a lookup goes; tells whether they lead there.
fn leads_to(blocks: &Noted, root: Cid, key: &[u8]) -> bool {
    let top = Known::recall(blocks.source(), root, Position::Root).unwrap();
    let mut node = &top;
    while let Err(place) = node.search(key)
        && height(key) < node.level()
        && compressed::subtree(node.block.bytes(), place).is_some()
    {
        let Some(below) = node.below(place) else { return false };
        node = below;
    }
    true
}

#[test]
fn pointers_lead_wherever_a_lookup_has_been() {
    let (blocks, root) = tree(2_000);
    let noted = Noted::new(&blocks, 1 << 24);
    assert!((0..2_000).any(|n| !leads_to(&noted, root, &key(n))), "none is known yet");
    for n in 0..4_000 {
        get(&noted, root, &key(n)).unwrap();
        assert!(leads_to(&noted, root, &key(n)));
    }
}

#[test]
fn no_pointer_leads_from_the_young_generation_to_the_old_one() {
    let (blocks, root) = tree(2_000);
    let all: usize = blocks.iter().map(|block| block.bytes().len()).sum();
    let max = 1 << 24;
    let noted = Noted::new(&blocks, max);
    for n in 0..2_000 {
        get(&noted, root, &key(n)).unwrap();
    }
    assert!((0..2_000).all(|n| leads_to(&noted, root, &key(n))));
    noted.asked();
    // There is no room for that beside the tree, but for the tree's root beside that.
    let filler = Arc::new(Kept::unchecked(&Block::new(Codec::Cbor, b"x"), 0));
    noted.cache.keep(value(0), filler, max / 2 - all / 2);
    let top = Known::recall(noted.source(), root, Position::Root).unwrap();
    let places = 0..=compressed::count(top.block.bytes());
    assert!(places.clone().any(|place| compressed::subtree(top.block.bytes(), place).is_some()));
    assert!(places.into_iter().all(|place| top.below(place).is_none()));
    get(&noted, root, &key(0)).unwrap();
    assert!(leads_to(&noted, root, &key(0)), "they are gathered anew");
    assert_eq!(noted.asked(), [], "from the older half");
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
        // The same after an edit of what is misplaced, which has no name yet.
        for key in [&first, &second] {
            tree.insert(Key::new(key.as_bytes()).unwrap(), value(2)).unwrap();
        }
        let expected = tree.clone().write().unwrap();
        assert!(matches!(tree.remove(middle.as_bytes()), Err(MstError::Invalid { .. })));
        assert_eq!(tree.write().unwrap(), expected, "the tree is as it was, and not written");
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
    noted.cache.clear();
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
        let at = |block: &Block, position| {
            Known::recall(noted.source(), block.cid(), position).map(|_| ())
        };
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
