use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use crate::data::block::{Block, Blocks, MemoryBlocks, ReadError};
use crate::data::cid::{Cid, Codec};
use crate::mst::base_tree::BaseTree;
use crate::mst::encoder::Encoder;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::node::{NAMED_AGAIN, Node, Position};
use crate::mst::tree::Tree;
use crate::mst::walk::{Step, Walk, walk};

type Entries = BTreeMap<u32, u8>;

fn key(n: u32) -> Key {
    Key::new(format!("com.example.note/{n:06}").into_bytes()).unwrap()
}

fn value(n: u8) -> Cid {
    Cid::of(Codec::Cbor, &[n])
}

/// Adds the nodes of a tree to blocks, and returns its root.
fn tree(blocks: &mut MemoryBlocks, entries: impl IntoIterator<Item = (u32, u8)>) -> Cid {
    let nothing = MemoryBlocks::default();
    let mut tree = Tree::empty(&nothing);
    for (n, number) in entries {
        tree.insert(key(n), value(number)).unwrap();
    }
    let written = tree.write().unwrap();
    blocks.extend(written.nodes);
    written.root
}

/// The results of a walk: the sets of its nodes and entries, and its errors in their order.
#[derive(Debug, Default, PartialEq)]
struct Walked {
    nodes: BTreeSet<Cid>,
    entries: BTreeSet<(Key, Cid)>,
    errors: Vec<String>,
}

fn walked(walk: Walk<'_>) -> Walked {
    let mut walked = Walked::default();
    for step in walk {
        match step {
            Ok(Step::Node { block, .. }) => drop(walked.nodes.insert(block.cid())),
            Ok(Step::Entry { key, value }) => drop(walked.entries.insert((key, value))),
            // Its right place may be skipped, and then it does not count as occurring again.
            Err(MstError::Invalid { reason: NAMED_AGAIN, .. }) => {}
            Err(error) => walked.errors.push(error.to_string()),
        }
    }
    walked
}

/// Returns the steps of a walk in a form that can be compared.
fn shown(walk: Walk<'_>) -> Vec<String> {
    walk.map(|step| format!("{step:?}")).collect()
}

/// Checks that a walk over a base finds the same errors as a walk over everything, and all that the base does not have.
fn assert_same(blocks: &MemoryBlocks, before: Cid, after: Cid, arrived: &HashSet<Cid>) -> bool {
    let base = walked(walk(blocks, before));
    assert_eq!(base.errors, Vec::<String>::new(), "the base is valid");
    let whole = walked(walk(blocks, after));
    let is_walked = |cid: &Cid| arrived.contains(cid);
    let over = walked(walk(blocks, after).over(BaseTree::new(blocks, before, &is_walked)));
    assert_eq!(over.errors, whole.errors, "the same errors");
    assert!(over.nodes.is_subset(&whole.nodes) && over.entries.is_subset(&whole.entries));
    let left_out: BTreeSet<Cid> = whole.nodes.difference(&over.nodes).copied().collect();
    assert!(left_out.is_subset(&base.nodes), "only nodes of the base are left out");
    for (key, value) in whole.entries.symmetric_difference(&over.entries) {
        assert!(base.entries.contains(&(key.clone(), *value)), "only entries of the base");
    }
    if arrived.is_empty() && whole.errors.is_empty() {
        let new: BTreeSet<_> = whole.entries.difference(&base.entries).cloned().collect();
        assert_eq!(over.entries, new, "exactly the entries that the base does not have");
    }
    whole.errors.is_empty()
}

/// Replaces one link of a tree, counted from the root in the order of a walk, and writes the changed nodes. `link`
/// is decremented at each link.
fn with_link(blocks: &mut MemoryBlocks, root: Cid, link: &mut usize, new: Option<Cid>) -> Cid {
    let block = blocks.get(&root).unwrap().unwrap();
    let node = Node::read(root, block.bytes(), Position::Root)
        .or_else(|_| Node::read(root, block.bytes(), Position::Child { level: 0 }));
    let Ok(node) = node else { return root };
    let mut follow = |old: Option<Cid>| {
        let below = old?;
        let is_here = *link == 0;
        *link = link.wrapping_sub(1);
        if is_here { new } else { Some(with_link(blocks, below, link, new)) }
    };
    let mut encoder = Encoder::default();
    let left = follow(node.left());
    let entries: Vec<_> = node
        .entries()
        .map(|entry| (entry.key.to_vec(), entry.value, follow(entry.right)))
        .collect();
    for (key, value, right) in &entries {
        encoder.entry(key, value, right.as_ref());
    }
    let block = encoder.finish(left.as_ref());
    let cid = block.cid();
    blocks.extend([block]);
    cid
}

fn entries(max: u32) -> impl Strategy<Value = Entries> {
    prop::collection::btree_map(0..max, 0..4_u8, 0..200)
}

/// Edits: a key, and its new value or `None`.
fn edits() -> impl Strategy<Value = Vec<(u32, Option<u8>)>> {
    prop::collection::vec((0..400_u32, prop::option::of(0..4_u8)), 0..20)
}

fn edited(entries: &Entries, edits: &[(u32, Option<u8>)]) -> Entries {
    let mut entries = entries.clone();
    for (n, value) in edits {
        match value {
            Some(value) => drop(entries.insert(*n, *value)),
            None => drop(entries.remove(n)),
        }
    }
    entries
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_over_a_base_finds_what_the_base_does_not_have(
        before in entries(400), edits in edits(), arrived in 0..5_usize,
    ) {
        let mut blocks = MemoryBlocks::default();
        let after = edited(&before, &edits);
        let [before, after] = [before, after].map(|entries| tree(&mut blocks, entries));
        let arrived = blocks.iter().step_by(7).take(arrived * 4).map(Block::cid).collect();
        prop_assert!(assert_same(&blocks, before, after, &arrived));
    }

    #[test]
    fn a_tree_that_uses_parts_of_its_base_in_other_places_has_the_same_errors(
        before in entries(400), edits in edits(), links in prop::collection::vec(any::<[u16; 2]>(), 1..4),
        arrived in 0..2_usize,
    ) {
        let mut blocks = MemoryBlocks::default();
        let after = edited(&before, &edits);
        let [before, mut after] = [before, after].map(|entries| tree(&mut blocks, entries));
        let nodes: Vec<Cid> = walked(walk(&blocks, before)).nodes.into_iter().collect();
        for [link, node] in links {
            let count = blocks.len();
            let node = nodes[usize::from(node) % nodes.len()];
            after = with_link(&mut blocks, after, &mut (usize::from(link) % count), Some(node));
        }
        let together = Counted(&blocks, AtomicU64::new(0));
        assert_eq!(shown(walk(&together, after)), shown(walk(&blocks, after)));
        let arrived = blocks.iter().step_by(7).take(arrived * 20).map(Block::cid).collect();
        assert_same(&blocks, before, after, &arrived);
    }
}

/// Returns the first key of a level after another key.
fn key_after(level: u8, before: &str) -> String {
    let all = (0..).map(|n| format!("com.example.note/{n:06}"));
    let mut keys = all.filter(|key| crate::mst::key::height(key.as_bytes()) == level);
    keys.find(|key| key.as_str() > before).unwrap()
}

fn node(entries: &[(&str, Option<Cid>)], left: Option<Cid>) -> Block {
    let mut encoder = Encoder::default();
    for (key, right) in entries {
        encoder.entry(key.as_bytes(), &value(0), right.as_ref());
    }
    encoder.finish(left.as_ref())
}

/// A subtree between two distant keys of the base, and the same subtree next to a nearer key on either side.
#[test]
fn a_part_of_the_base_is_checked_in_a_smaller_room() {
    let first = key_after(2, "");
    let second = key_after(2, &first);
    let low = key_after(0, &second);
    let third = key_after(2, &low);
    let end = key_after(2, &third);
    let leaf = node(&[(&low, None)], None);
    let middle = node(&[], Some(leaf.cid()));
    let base = node(&[(&first, Some(middle.cid())), (&end, None)], None);
    let none = HashSet::new();
    for (after, before, is_valid) in
        [(&second, &third, true), (&first, &second, false), (&third, &end, false)]
    {
        let narrow = node(&[(after, Some(middle.cid())), (before, None)], None);
        let blocks = [&leaf, &middle, &base, &narrow].into_iter().cloned().collect();
        assert_eq!(assert_same(&blocks, base.cid(), narrow.cid(), &none), is_valid);
    }
}

/// A subtree between two keys of the base, which a later tree has elsewhere.
#[test]
fn a_part_of_the_base_is_checked_on_another_level_and_between_other_keys() {
    let first = key_after(2, "");
    let low = key_after(0, &first);
    let end = key_after(2, &low);
    let after_end = key_after(2, &end);
    let leaf = node(&[(&low, None)], None);
    let middle = node(&[], Some(leaf.cid()));
    let here = node(&[(&first, Some(middle.cid())), (&end, None)], None);
    let all = |more: &[&Block]| -> MemoryBlocks {
        [&leaf, &middle, &here].into_iter().chain(more.iter().copied()).cloned().collect()
    };
    let none = HashSet::new();
    // On its level and between other keys that leave room, it is not read.
    let wider = node(&[(&first, Some(middle.cid())), (&after_end, None)], None);
    assert!(assert_same(&all(&[&wider]), here.cid(), wider.cid(), &none));
    let between_others = node(&[(&end, Some(middle.cid()))], None);
    assert!(!assert_same(&all(&[&between_others]), here.cid(), between_others.cid(), &none));
    let on_another_level = node(&[(&first, Some(leaf.cid())), (&end, None)], None);
    assert!(!assert_same(&all(&[&on_another_level]), here.cid(), on_another_level.cid(), &none));
    let twice = node(&[(&first, Some(middle.cid())), (&end, Some(middle.cid()))], None);
    assert!(!assert_same(&all(&[&twice]), here.cid(), twice.cid(), &none));
    // The base has the leaf right below its root, one level lower.
    let low_root = node(&[(&key_after(1, &low), None)], Some(leaf.cid()));
    let high_root = node(&[(&key_after(2, &key_after(1, &low)), None)], Some(leaf.cid()));
    let blocks = all(&[&low_root, &high_root]);
    assert!(!assert_same(&blocks, low_root.cid(), high_root.cid(), &none));
}

#[test]
fn a_base_that_cannot_be_read_shares_nothing() {
    let (mut base, mut blocks) = (MemoryBlocks::default(), MemoryBlocks::default());
    let entries = (0..300).map(|n| (n, 0));
    let before = tree(&mut base, entries.clone());
    let after = tree(&mut blocks, entries.chain([(300, 1)]));
    let whole = walked(walk(&blocks, after));
    let nothing = MemoryBlocks::default();
    let over = walked(walk(&blocks, after).over(BaseTree::new(&nothing, before, &|_| false)));
    assert_eq!(over, whole);
}

/// Blocks that count the reads, and return many at once.
struct Counted<'b>(&'b MemoryBlocks, AtomicU64);

impl Blocks for Counted<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }

    fn batch(&self) -> usize {
        512
    }
}

#[test]
fn the_reads_of_a_walk_over_a_base_follow_the_changes_and_not_the_size() {
    let reads = |count: u32, changes: u32| {
        let mut blocks = MemoryBlocks::default();
        let before = tree(&mut blocks, (0..count).map(|n| (n, 0)));
        let changed = |n: u32| u8::from(n.is_multiple_of(count / changes));
        let after = tree(&mut blocks, (0..count).map(|n| (n, changed(n))));
        let counted = Counted(&blocks, AtomicU64::new(0));
        let over = walk(&counted, after).over(BaseTree::new(&counted, before, &|_| false));
        assert_eq!(walked(over).entries.len(), changes as usize);
        counted.1.into_inner()
    };
    for changes in [1, 10] {
        let [small, large] = [1_000, 30_000].map(|count| reads(count, changes));
        assert!(large <= 3 * small && large <= u64::from(changes) * 30, "{small} {large}");
    }
}
