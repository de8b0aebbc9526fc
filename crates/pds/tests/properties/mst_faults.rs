//! Trees with nodes that cannot be read, and the part of them that is still read.

use std::sync::LazyLock;

use ipld_core::ipld::Ipld;
use pds::data::{Block, Cid, Codec, MemoryBlocks};
use pds::mst::{Key, MstError, Step, Tree, diff, get, nodes, range, walk};
use proptest::prelude::*;

use super::{Entries, TestBlocks, built, config, edit, ipld_map, key, link, mined_keys, record};

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(mined_keys);

fn any_entries(len: std::ops::Range<usize>) -> impl Strategy<Value = Entries> {
    let key = (0..KEYS.len()).prop_map(|at| KEYS[at].clone());
    prop::collection::btree_map(key, Just(record(0)), len)
}

fn any_edits(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(Key, Option<Cid>)>> {
    let key = (0..KEYS.len()).prop_map(|at| KEYS[at].clone());
    let value = prop::option::weighted(0.5, Just(record(1)));
    prop::collection::vec((key, value), len)
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn an_edit_that_cannot_read_a_node_leaves_the_tree_as_it_was(
        entries in any_entries(1..50),
        unwritten in any_edits(0..4),
        (key, value) in any_edits(1..2).prop_map(|mut edits| edits.remove(0)),
    ) {
        let blocks = TestBlocks::default();
        let (root, nodes) = built(&entries);
        blocks.extend(nodes);
        for n in 1.. {
            let mut tree = Tree::open(&blocks, root);
            let mut entries = entries.clone();
            for (key, value) in &unwritten {
                edit(&mut tree, &mut entries, key, *value);
            }
            blocks.fail_at(n);
            let mut after = entries.clone();
            let (edited, expected) = match value {
                Some(value) => (tree.insert(key.clone(), value), after.insert(key.clone(), value)),
                None => (tree.remove(key.as_bytes()), after.remove(&key)),
            };
            let failed_to_edit = edited.is_err();
            if failed_to_edit {
                prop_assert!(matches!(edited, Err(MstError::Read(_))));
            } else {
                // The failed read may be needed for writing.
                prop_assert_eq!(edited.unwrap(), expected);
                let written = tree.write().map(|written| written.root);
                prop_assert!(matches!(written, Ok(_) | Err(MstError::Read(_))));
                prop_assert_eq!(written.is_err(), blocks.has_failed());
                if let Ok(written) = written {
                    prop_assert_eq!(written, built(&after).0);
                    break;
                }
                entries = after.clone();
            }
            blocks.has_failed();
            let found: Result<Vec<_>, _> = tree.range(..).collect();
            let found: Entries = found.unwrap().into_iter().map(|e| (e.key, e.value)).collect();
            prop_assert_eq!(&found, &entries);
            prop_assert_eq!(tree.write().unwrap().root, built(&entries).0);
            if failed_to_edit {
                edit(&mut tree, &mut entries, &key, value);
                prop_assert_eq!(tree.write().unwrap().root, built(&after).0);
            }
        }
    }

    #[test]
    fn without_one_node_everything_outside_its_subtree_is_still_found(
        entries in any_entries(1..50),
        chosen in any::<prop::sample::Index>(),
    ) {
        let (root, all) = built(&entries);
        let mut blocks: MemoryBlocks = all.iter().cloned().collect();
        let gone = chosen.get(&all).cid();
        blocks.remove(&gone);
        let mut errors = Vec::new();
        let mut found = Entries::new();
        for step in walk(&blocks, root) {
            match step {
                Ok(Step::Entry { key, value }) => drop(found.insert(key, value)),
                Ok(Step::Node { .. }) => {}
                Err(error) => errors.push(error.missing()),
            }
        }
        prop_assert_eq!(errors, [Some(gone)]);
        prop_assert_eq!(nodes(&blocks, root).filter(Result::is_err).count(), 1);
        for (key, value) in &entries {
            match get(&blocks, root, key.as_bytes()) {
                Ok(got) => {
                    prop_assert_eq!(got, Some(*value));
                    prop_assert_eq!(found.get(key), Some(value));
                }
                Err(error) => {
                    prop_assert_eq!(error.missing(), Some(gone));
                    prop_assert!(!found.contains_key(key));
                }
            }
        }
    }

    #[test]
    fn a_range_goes_on_after_an_error_and_a_diff_ends(
        entries in any_entries(1..50),
        n in 1..8_usize,
    ) {
        let blocks = TestBlocks::default();
        let (root, nodes) = built(&entries);
        blocks.extend(nodes);
        let all: Vec<_> = range(&blocks, root, ..).map(Result::unwrap).collect();
        blocks.fail_at(n);
        let found: Vec<_> = range(&blocks, root, ..).collect();
        // One read failed, so one subtree is missing: a run of entries. All other entries are returned.
        let failed = found.iter().filter(|entry| entry.is_err()).count();
        prop_assert_eq!(failed, usize::from(blocks.has_failed()));
        let before = found.iter().take_while(|entry| entry.is_ok()).count();
        let (head, tail): (Vec<_>, Vec<_>) = (
            found.iter().take(before).flatten().collect(),
            found.iter().skip(before).flatten().collect(),
        );
        prop_assert!(head.iter().zip(&all).all(|(a, b)| *a == b));
        prop_assert!(tail.iter().rev().zip(all.iter().rev()).all(|(a, b)| *a == b));
        blocks.fail_at(n);
        let found: Vec<_> = diff(&blocks, None, Some(root)).collect();
        let is_error = found.iter().position(Result::is_err);
        prop_assert_eq!(is_error.is_some(), blocks.has_failed());
        prop_assert!(is_error.is_none_or(|at| at + 1 == found.len()));
    }
}

#[test]
fn a_diff_reads_along_the_path_of_what_has_changed() {
    let entries: Entries =
        (0..1000).map(|n| (key(&format!("com.example.a/{n:04}")), record(0))).collect();
    let blocks = TestBlocks::default();
    let (root, nodes) = built(&entries);
    blocks.extend(nodes);
    let levels = 1 + usize::from(entries.keys().map(Key::height).max().unwrap());
    let mut most = 0;
    for n in (0..1000).step_by(7) {
        let present = key(&format!("com.example.a/{n:04}"));
        let absent = key(&format!("com.example.a/{n:04}-"));
        for (key, value) in
            [(&present, Some(record(1))), (&present, None), (&absent, Some(record(1)))]
        {
            let mut tree = Tree::open(&blocks, root);
            edit(&mut tree, &mut entries.clone(), key, value);
            let written = tree.write().unwrap();
            blocks.extend(written.nodes);
            let before = blocks.reads();
            let changes: Vec<_> = diff(&blocks, Some(root), Some(written.root)).collect();
            assert_eq!(changes.len(), 1);
            assert_eq!(&changes[0].as_ref().unwrap().key, key);
            most = most.max(blocks.reads() - before);
        }
    }
    assert!(most <= 4 * levels, "{most} reads for {levels} levels");
}

/// The higher of two subtrees is opened first, so that equal subtrees below it are compared without being read.
#[test]
fn a_tree_that_hangs_below_a_new_root_is_not_compared_key_by_key() {
    let mut entries: Entries =
        (0..100).map(|n| (key(&format!("com.example.b/{n:04}")), record(0))).collect();
    let blocks = TestBlocks::default();
    let (low, nodes) = built(&entries);
    blocks.extend(nodes);
    let lower = 1 + usize::from(entries.keys().map(Key::height).max().unwrap());
    let higher = 8;
    for (collection, most) in [
        // The comparison reads the new nodes, and the lower root once before it is found as a whole subtree.
        ("com.example.c", (higher - lower) + 2),
        // Only the first key of the lower tree shows that the new key is before it. Both sides read the path to that
        // key.
        ("com.example.a", (higher - lower) + 2 * lower),
    ] {
        let top = (0..)
            .map(|n| key(&format!("{collection}/{n}")))
            .find(|key| usize::from(key.height()) + 1 == higher)
            .unwrap();
        entries.insert(top.clone(), record(0));
        let (high, nodes) = built(&entries);
        blocks.extend(nodes);
        entries.remove(&top);
        for (before, after) in [(low, high), (high, low)] {
            let reads = blocks.reads();
            assert_eq!(diff(&blocks, Some(before), Some(after)).count(), 1);
            let reads = blocks.reads() - reads;
            assert!(reads <= most, "{reads} reads, {collection}");
        }
    }
}

#[test]
fn equal_trees_are_compared_without_a_read() {
    let blocks = TestBlocks::default();
    let root = Cid::of(Codec::Cbor, b"a root that is nowhere");
    assert_eq!(diff(&blocks, Some(root), Some(root)).count(), 0);
    assert_eq!(blocks.reads(), 0);
}

#[test]
fn a_lookup_and_a_range_read_no_more_than_the_path_to_their_key() {
    let entries: Entries =
        (0..1000).map(|n| (key(&format!("com.example.a/{n:04}")), record(0))).collect();
    let blocks = TestBlocks::default();
    let (root, nodes) = built(&entries);
    blocks.extend(nodes);
    let levels = 1 + usize::from(entries.keys().map(Key::height).max().unwrap());
    for key in entries.keys().step_by(13) {
        let before = blocks.reads();
        get(&blocks, root, key.as_bytes()).unwrap();
        assert!(blocks.reads() - before <= levels - usize::from(key.height()));
        for reversed in [false, true] {
            let before = blocks.reads();
            let mut range = range(&blocks, root, key.clone()..=key.clone());
            if reversed {
                range = range.reversed();
            }
            assert_eq!(range.next().unwrap().unwrap().key, *key);
            assert!(blocks.reads() - before <= levels);
        }
    }
}

/// A single node does not show that its keys are in the range of its place in the tree.
#[test]
fn keys_that_do_not_ascend_from_one_node_to_the_next_are_found_by_a_walk() {
    let mut blocks = MemoryBlocks::default();
    let mut store = |left, name: &str| {
        let entry = ipld_map([
            ("k", Ipld::Bytes(name.as_bytes().to_vec())),
            ("p", Ipld::Integer(0)),
            ("t", Ipld::Null),
            ("v", link(record(0))),
        ]);
        let list = Ipld::List(vec![entry]);
        let node = ipld_map([("e", list), ("l", left)]);
        let block = Block::new(Codec::Cbor, serde_ipld_dagcbor::to_vec(&node).unwrap());
        blocks.insert(block.clone());
        block.cid()
    };
    let after = store(Ipld::Null, "C0/451630");
    let root = store(link(after), "B1/986427");
    let errors: Vec<MstError> = walk(&blocks, root).filter_map(Result::err).collect();
    assert!(matches!(
        errors[..],
        [MstError::Invalid { cid, reason: "keys do not ascend from one node to the next" }]
            if cid == after
    ));
}

#[test]
fn damaged_sources_are_told_from_missing_nodes() {
    let (root, nodes) = built(&Entries::from([(key("A0/374913"), record(0))]));
    let blocks = TestBlocks::default();
    blocks.extend(nodes);
    blocks.fail_at(1);
    let error = get(&blocks, root, b"A0/374913").unwrap_err();
    assert_eq!((error.missing(), error.cid()), (None, Some(root)));
    assert_eq!(error.to_string(), format!("cannot read block {root}"));
    blocks.remove(&root);
    let error = get(&blocks, root, b"A0/374913").unwrap_err();
    assert_eq!((error.missing(), error.cid()), (Some(root), Some(root)));
}
