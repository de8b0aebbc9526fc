//! Trees compared with an ordered map.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::{Bound, RangeBounds};
use std::sync::LazyLock;

use pds::data::{Block, Blocks, Cid, MemoryBlocks, get_all};
use pds::mst::{Change, Descent, Entry, Key, Tree, Written, diff, get, nodes, proof, range};
use proptest::prelude::*;

use super::{Entries, TestBlocks, built, config, edit, mined_keys, naive_root, record};

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(mined_keys);

/// A key to set, or to remove if it has no value.
type Edit = (Key, Option<Cid>);

fn any_key() -> impl Strategy<Value = Key> {
    (0..KEYS.len()).prop_map(|at| KEYS[at].clone())
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let value = prop::option::weighted(0.6, (0..3_u8).prop_map(record));
    (any_key(), value)
}

fn edits(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec(any_edit(), len)
}

fn any_entries(len: std::ops::Range<usize>) -> impl Strategy<Value = Entries> {
    prop::collection::btree_map(any_key(), (0..3_u8).prop_map(record), len)
}

fn any_bound() -> impl Strategy<Value = Bound<Key>> {
    // A bound may be a key that is in no tree.
    let near = || {
        (any_key(), any::<bool>()).prop_map(|(key, after)| match after {
            false => key,
            true => Key::new([key.as_bytes(), b"~"].concat()).unwrap(),
        })
    };
    prop_oneof![
        1 => Just(Bound::Unbounded),
        2 => near().prop_map(Bound::Included),
        2 => near().prop_map(Bound::Excluded),
    ]
}

/// Stores a tree and returns its root.
fn stored(blocks: &TestBlocks, entries: &Entries) -> Cid {
    let (root, nodes) = built(entries);
    blocks.extend(nodes);
    root
}

fn reachable(blocks: &dyn Blocks, root: Cid) -> BTreeSet<Cid> {
    let nodes = nodes(blocks, root).map(|node| node.unwrap().cid());
    nodes.collect()
}

/// Checks that a write makes every new node once, children first, and no node that the tree does not need.
fn assert_well_written(blocks: &TestBlocks, before: Cid, written: &Written) {
    let made: Vec<Cid> = written.nodes.iter().map(Block::cid).collect();
    let set: BTreeSet<Cid> = made.iter().copied().collect();
    assert_eq!(set.len(), made.len(), "a node is written twice");
    let (old, new) = (reachable(blocks, before), reachable(blocks, written.root));
    assert!(set.is_subset(&new), "a node that is not in the tree");
    assert!(new.difference(&old).all(|cid| set.contains(cid)));
    let mut seen = HashSet::new();
    for node in &written.nodes {
        for child in pds::data::links(node.bytes()).unwrap() {
            assert!(!set.contains(&child) || seen.contains(&child), "a parent first");
        }
        seen.insert(node.cid());
    }
}

proptest! {
    #![proptest_config(config(160))]

    #[test]
    fn after_every_edit_the_tree_is_the_one_built_from_scratch(
        steps in prop::collection::vec((any_edit(), prop::bool::weighted(0.2)), 1..40),
    ) {
        let blocks = TestBlocks::default();
        let mut tree = Tree::empty(&blocks);
        let mut entries = Entries::new();
        let mut root = stored(&blocks, &entries);
        for ((key, value), reopen) in steps {
            edit(&mut tree, &mut entries, &key, value);
            prop_assert_eq!(tree.get(key.as_bytes()).unwrap(), value);
            let written = tree.write().unwrap();
            blocks.extend(written.nodes.iter().cloned());
            prop_assert_eq!(written.root, built(&entries).0);
            assert_well_written(&blocks, root, &written);
            // A single edit does not even write a node that existed before.
            let old = reachable(&blocks, root);
            prop_assert!(written.nodes.iter().all(|node| !old.contains(&node.cid()))
                || entries.is_empty());
            root = written.root;
            if reopen {
                tree = Tree::open(&blocks, root);
            }
        }
        prop_assert_eq!(root, naive_root(&entries));
        for key in KEYS.iter() {
            let value = entries.get(key).copied();
            prop_assert_eq!(get(&blocks, root, key.as_bytes()).unwrap(), value);
        }
    }

    #[test]
    fn a_batch_writes_the_new_nodes_and_no_garbage(
        mut entries in any_entries(0..50),
        batches in prop::collection::vec(edits(1..20), 1..4),
    ) {
        let blocks = TestBlocks::default();
        let mut root = stored(&blocks, &entries);
        let mut tree = Tree::open(&blocks, root);
        for batch in batches {
            for (key, value) in batch {
                edit(&mut tree, &mut entries, &key, value);
            }
            let written = tree.write().unwrap();
            blocks.extend(written.nodes.iter().cloned());
            prop_assert_eq!(written.root, naive_root(&entries));
            assert_well_written(&blocks, root, &written);
            let again = tree.write().unwrap();
            prop_assert_eq!(again.root, written.root);
            prop_assert!(again.nodes.is_empty() || entries.is_empty());
            root = written.root;
        }
    }

    #[test]
    fn ranges_are_those_of_an_ordered_map(
        mut entries in any_entries(0..50),
        unwritten in edits(0..6),
        bounds in prop::collection::vec((any_bound(), any_bound()), 8),
    ) {
        let blocks = TestBlocks::default();
        let root = stored(&blocks, &entries);
        let expected = |entries: &Entries, bounds: &(Bound<Key>, Bound<Key>)| {
            let within = entries.iter().filter(|(key, _)| bounds.contains(*key));
            within.map(|(key, value)| Entry { key: key.clone(), value: *value }).collect::<Vec<_>>()
        };
        for bounds in &bounds {
            let mut expected = expected(&entries, bounds);
            let found: Result<Vec<Entry>, _> = range(&blocks, root, bounds.clone()).collect();
            prop_assert_eq!(found.unwrap(), &expected[..]);
            let found: Result<Vec<Entry>, _> =
                range(&blocks, root, bounds.clone()).reversed().collect();
            expected.reverse();
            prop_assert_eq!(found.unwrap(), expected);
        }
        // A part of the tree is in memory, and a part is stored.
        let mut tree = Tree::open(&blocks, root);
        for (key, value) in unwritten {
            edit(&mut tree, &mut entries, &key, value);
        }
        for bounds in &bounds {
            let mut expected = expected(&entries, bounds);
            let found: Result<Vec<Entry>, _> = tree.range(bounds.clone()).collect();
            prop_assert_eq!(found.unwrap(), &expected[..]);
            let found: Result<Vec<Entry>, _> = tree.range(bounds.clone()).reversed().collect();
            expected.reverse();
            prop_assert_eq!(found.unwrap(), expected);
        }
    }

    #[test]
    fn a_diff_is_the_difference_of_the_two_sets(
        a in any_entries(0..40),
        b_is_near_a in any::<bool>(),
        mut b in any_entries(0..40),
        edits in edits(0..8),
    ) {
        if b_is_near_a {
            b = a.clone();
            for (key, value) in edits {
                match value {
                    Some(value) => b.insert(key, value),
                    None => b.remove(&key),
                };
            }
        }
        let blocks = TestBlocks::default();
        let (before, after) = (stored(&blocks, &a), stored(&blocks, &b));
        let keys: BTreeSet<&Key> = a.keys().chain(b.keys()).collect();
        let expected: Vec<Change> = keys
            .into_iter()
            .filter(|key| a.get(*key) != b.get(*key))
            .map(|key| Change {
                key: key.clone(),
                before: a.get(key).copied(),
                after: b.get(key).copied(),
            })
            .collect();
        let found: Result<Vec<Change>, _> = diff(&blocks, Some(before), Some(after)).collect();
        prop_assert_eq!(found.unwrap(), expected);

        let found = diff(&blocks, Some(before), Some(after)).into_nodes().unwrap();
        let (old, new) = (reachable(&blocks, before), reachable(&blocks, after));
        let created: BTreeSet<Cid> = found.created.iter().copied().collect();
        let deleted: BTreeSet<Cid> = found.deleted.iter().copied().collect();
        prop_assert_eq!(created.len(), found.created.len());
        prop_assert_eq!(deleted.len(), found.deleted.len());
        prop_assert_eq!(created, new.difference(&old).copied().collect());
        prop_assert_eq!(deleted, old.difference(&new).copied().collect());

        // Compared with a tree without keys, every key is new.
        let found: Result<Vec<Change>, _> = diff(&blocks, None, Some(after)).collect();
        prop_assert_eq!(found.unwrap().len(), b.len());
        let found = diff(&blocks, Some(before), None).into_nodes().unwrap();
        prop_assert_eq!(found.deleted.len(), old.len());
    }

    #[test]
    fn proofs_show_any_key_and_only_with_the_nodes_down_to_its_height(
        entries in any_entries(0..50),
        key in any_key(),
    ) {
        let blocks = TestBlocks::default();
        let root = stored(&blocks, &entries);
        let chain = proof(&blocks, root, key.as_bytes()).unwrap();
        let mut shown: MemoryBlocks = chain.iter().cloned().collect();
        let value = entries.get(&key).copied();
        prop_assert_eq!(get(&shown, root, key.as_bytes()).unwrap(), value);
        let mut descent = Descent::new(root, key.as_bytes());
        for node in chain {
            shown.remove(&node.cid());
            if descent.is_decided() {
                prop_assert_eq!(get(&shown, root, key.as_bytes()).unwrap(), None);
                continue;
            }
            descent.node(node.bytes()).unwrap();
            let error = get(&shown, root, key.as_bytes()).unwrap_err();
            prop_assert_eq!(error.missing(), Some(node.cid()));
            shown.insert(node);
        }
    }

    /// The specification defines the nodes of an event: the new nodes, and those with the neighbours of each changed
    /// key.
    #[test]
    fn edits_are_undone_with_the_new_nodes_and_those_of_the_neighbours(
        before in any_entries(0..50),
        edits in edits(1..10),
        order in any::<prop::sample::Index>(),
    ) {
        let blocks = TestBlocks::default();
        let root_before = stored(&blocks, &before);
        let mut after = before.clone();
        let edits: BTreeMap<Key, Option<Cid>> = edits.into_iter().collect();
        let mut tree = Tree::open(&blocks, root_before);
        for (key, value) in &edits {
            edit(&mut tree, &mut after, key, *value);
        }
        let root_after = tree.write().unwrap().root;
        prop_assert_eq!(root_after, stored(&blocks, &after));

        let new = diff(&blocks, Some(root_before), Some(root_after)).into_nodes().unwrap();
        let mut shown: MemoryBlocks =
            get_all(&blocks, &new.created).map(|found| found.unwrap().unwrap()).collect();
        let mut back: Vec<Edit> = Vec::new();
        for key in edits.keys().filter(|key| before.get(*key) != after.get(*key)) {
            let previous = after.range(..key).next_back();
            let next = after.range((Bound::Excluded(key), Bound::Unbounded)).next();
            let neighbours = previous.into_iter().chain(next).map(|(key, _)| key);
            for near in neighbours.chain([key]) {
                shown.extend(proof(&blocks, root_after, near.as_bytes()).unwrap());
            }
            back.push((key.clone(), before.get(key).copied()));
        }
        // The edits can be reverted in any order.
        if !back.is_empty() {
            let first = order.index(back.len());
            back.rotate_left(first);
        }
        let mut tree = Tree::open(&shown, root_after);
        for (key, value) in back {
            edit(&mut tree, &mut after, &key, value);
        }
        prop_assert_eq!(tree.write().unwrap().root, root_before);
    }
}

#[test]
fn the_two_ways_to_build_from_scratch_agree_on_every_set_of_a_few_tall_keys() {
    let mut keys: Vec<Key> = KEYS.clone();
    keys.sort_by_key(|key| std::cmp::Reverse(key.height()));
    keys.truncate(9);
    for set in 0..1_usize << keys.len() {
        let chosen = keys.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
        let entries: Entries = chosen.map(|(_, key)| (key.clone(), record(0))).collect();
        assert_eq!(built(&entries).0, naive_root(&entries));
    }
}
