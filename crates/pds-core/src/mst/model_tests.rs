use std::collections::BTreeSet;
use std::ops::{Bound, RangeBounds};

use proptest::prelude::*;

use crate::data::block::{Block, MemoryBlocks};
use crate::data::cid::Cid;
use crate::data::record_check::links;
use crate::mst::base_tree::BaseTree;
use crate::mst::build::Builder;
use crate::mst::diff::{Change, diff};
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::model::{
    Entries, KEYS, Model, Named, Noted, Part, any_entries, any_key, edit, edits, value,
};
use crate::mst::proof::{Descent, proof};
use crate::mst::range::{Entry, range};
use crate::mst::tree::{Tree, Written, get};
use crate::mst::walk::{Step, nodes, walk};

fn listed(entries: impl Iterator<Item = Result<Entry, MstError>>) -> Entries {
    let pairs: Vec<(Key, Cid)> =
        entries.map(|entry| entry.unwrap()).map(|entry| (entry.key, entry.value)).collect();
    assert!(pairs.is_sorted_by_key(|(key, _)| key));
    pairs.into_iter().collect()
}

/// Edits the tree and the entries alike.
fn edit_both(tree: &mut Tree<'_>, entries: &mut Entries, key: &Key, value: Option<Cid>) {
    let found = match value {
        Some(value) => tree.insert(key.clone(), value),
        None => tree.remove(key.as_bytes()),
    };
    assert_eq!(found.unwrap(), edit(entries, key, value), "{key}");
    assert_eq!(tree.get(key.as_bytes()).unwrap(), value);
}

/// Checks that a write returns each new node of a tree once, children first.
fn assert_written(written: &Written, model: &Model, before: &MemoryBlocks) {
    assert_eq!(written.root, model.root());
    let new = |cid: &Cid| !before.contains(cid);
    let expected: Vec<Cid> = model.cids().into_iter().filter(new).collect();
    let found: Vec<Cid> = written.nodes.iter().map(Block::cid).filter(new).collect();
    assert_eq!(found.len(), expected.len());
    assert_eq!(BTreeSet::from_iter(&found), BTreeSet::from_iter(&expected));
    let place = |cid: &Cid| found.iter().position(|other| other == cid);
    for node in &written.nodes {
        for link in links(node.bytes()).unwrap() {
            assert!(place(&link) < place(&node.cid()) || place(&node.cid()).is_none());
        }
    }
}

/// Checks that the steps of a walk are these parts.
fn assert_steps<'m>(steps: &[Step], parts: impl Iterator<Item = &'m Part>) {
    let shown = |step: &Step| match step {
        Step::Node { block, node } => (block.cid(), Some(node.level()), None),
        Step::Entry { key, value } => (*value, None, Some(key.clone())),
    };
    let expected = |part: &Part| match part {
        Part::Node(node) => (node.block.cid(), Some(node.level), None),
        Part::Entry(key, value) => (*value, None, Some(key.clone())),
    };
    assert!(steps.iter().map(shown).eq(parts.map(expected)), "{steps:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_built_tree_is_that_of_the_specification(entries in any_entries()) {
        let (model, mut built) = (Model::of(&entries), Vec::new());
        let mut builder = Builder::default();
        for (key, value) in &entries {
            builder.push(key.as_bytes(), *value, |node| built.push(node)).unwrap();
            let again = builder.push(key.as_bytes(), *value, drop);
            let is_refused = matches!(again, Err(MstError::Key { .. }));
            prop_assert!(is_refused);
        }
        prop_assert_eq!(builder.finish(|node| built.push(node)), model.root());
        prop_assert_eq!(built.last().map(Block::cid), Some(model.root()));
        let built: MemoryBlocks = built.into_iter().collect();
        prop_assert_eq!(built.len(), model.cids().len());
        prop_assert!(model.cids().iter().all(|cid| built.contains(cid)));
    }

    #[test]
    fn an_edited_tree_is_that_of_the_specification(
        mut entries in any_entries(), rounds in prop::collection::vec(edits(8), 1..4),
    ) {
        let mut stored = Model::of(&entries).blocks();
        let mut root = Model::of(&entries).root();
        for edits in rounds {
            let blocks = stored.clone();
            let mut tree = Tree::open(&blocks, root);
            for (key, value) in edits {
                edit_both(&mut tree, &mut entries, &key, value);
            }
            prop_assert_eq!(listed(tree.range(..)), entries.clone());
            let written = tree.write().unwrap();
            assert_written(&written, &Model::of(&entries), &blocks);
            prop_assert!(tree.write().unwrap().nodes.is_empty() || entries.is_empty());
            prop_assert_eq!(listed(tree.range(..)), entries.clone());
            for key in KEYS.iter() {
                prop_assert_eq!(tree.get(key.as_bytes()).unwrap(), entries.get(key).copied());
            }
            root = written.root;
            stored.extend(written.nodes);
            for key in KEYS.iter() {
                let found = get(&stored, root, key.as_bytes()).unwrap();
                prop_assert_eq!(found, entries.get(key).copied());
            }
        }
    }

    #[test]
    fn a_tree_that_was_written_is_edited_further(
        rounds in prop::collection::vec(edits(6), 1..5),
    ) {
        let (nothing, mut entries) = (MemoryBlocks::default(), Entries::new());
        let (mut tree, mut made) = (Tree::empty(&nothing), MemoryBlocks::default());
        for edits in rounds {
            for (key, value) in edits {
                edit_both(&mut tree, &mut entries, &key, value);
            }
            let written = tree.write().unwrap();
            assert_written(&written, &Model::of(&entries), &made);
            made.extend(written.nodes);
        }
    }

    #[test]
    fn a_single_edit_writes_no_node_that_was_there(
        mut entries in any_entries(), (key, value) in (any_key(), prop::option::of(Just(value(9)))),
    ) {
        let before = Model::of(&entries);
        let blocks = before.blocks();
        let mut tree = Tree::open(&blocks, before.root());
        edit_both(&mut tree, &mut entries, &key, value);
        let written = tree.write().unwrap();
        let is_new = |node: &Block| !blocks.contains(&node.cid());
        prop_assert!(entries.is_empty() || written.nodes.iter().all(is_new));
    }

    #[test]
    fn edits_in_key_order_need_no_settled_node(
        mut entries in any_entries(),
        edits in prop::collection::btree_map(any_key(), (prop::option::of(Just(value(9))), any::<bool>()), 1..30),
    ) {
        let before = Model::of(&entries);
        let last = edits.keys().next_back().unwrap().clone();
        let blocks = before.blocks();
        let (mut tree, mut nodes) = (Tree::open(&blocks, before.root()), Vec::new());
        for (key, (value, settles)) in edits {
            let found = match value {
                Some(value) => tree.insert(key.clone(), value),
                None => tree.remove(key.as_bytes()),
            };
            prop_assert_eq!(found.unwrap(), edit(&mut entries, &key, value));
            if settles {
                nodes.extend(tree.settle(&key));
            }
        }
        nodes.extend(tree.settle(&last));
        let Written { root, nodes: rest } = tree.write().unwrap();
        let model = Model::of(&entries);
        let still_open = |node: &Named| node.is_open_after(&last) || entries.is_empty();
        let open: Vec<Cid> =
            model.nodes().filter(|node| still_open(node)).map(|node| node.block.cid()).collect();
        prop_assert!(rest.iter().all(|node| open.contains(&node.cid())));
        nodes.extend(rest);
        assert_written(&Written { root, nodes }, &Model::of(&entries), &blocks);
    }

    #[test]
    fn a_walk_visits_the_parts_of_the_specification(entries in any_entries()) {
        let model = Model::of(&entries);
        let blocks = Noted::new(model.blocks());
        let steps: Vec<Step> = walk(&blocks, model.root()).map(Result::unwrap).collect();
        prop_assert_eq!(blocks.asked(), model.cids());
        assert_steps(&steps, model.parts.iter());
        for levels in 1..5 {
            let steps: Vec<Step> =
                walk(&blocks, model.root()).levels(levels).map(Result::unwrap).collect();
            assert_steps(&steps, model.top(levels));
        }
        let blocks: Vec<Cid> =
            nodes(&blocks, model.root()).map(|node| node.unwrap().cid()).collect();
        prop_assert_eq!(blocks, model.cids());
    }

    #[test]
    fn a_range_is_that_of_an_ordered_map(
        entries in any_entries(), bounds in prop::collection::vec([any_bound(), any_bound()], 6),
    ) {
        let model = Model::of(&entries);
        let blocks = Noted::new(model.blocks());
        for [from, to] in bounds {
            let bounds = (from, to);
            let within = entries.iter().filter(|(key, _)| bounds.contains(*key));
            let mut expected: Vec<Entry> =
                within.map(|(key, value)| Entry { key: key.clone(), value: *value }).collect();
            let found = range(&blocks, model.root(), bounds.clone());
            prop_assert_eq!(&found.map(Result::unwrap).collect::<Vec<_>>(), &expected);
            let forwards = blocks.asked();
            expected.reverse();
            let found = range(&blocks, model.root(), bounds.clone()).reversed();
            prop_assert_eq!(found.map(Result::unwrap).collect::<Vec<_>>(), expected);
            for asked in [forwards, blocks.asked()] {
                let twice = BTreeSet::from_iter(&asked).len() < asked.len();
                prop_assert!(!twice, "a node is read twice");
            }
        }
    }

    #[test]
    fn a_diff_is_that_of_two_maps_and_reads_what_differs(
        before in any_entries(), other in any_entries(), edits in edits(6), is_near in any::<bool>(),
    ) {
        let mut after = if is_near { before.clone() } else { other };
        for (key, value) in &edits {
            edit(&mut after, key, *value);
        }
        let expected: Vec<Change> = KEYS
            .iter()
            .map(|key| (key.clone(), before.get(key).copied(), after.get(key).copied()))
            .filter(|(_, before, after)| before != after)
            .map(|(key, before, after)| Change { key, before, after })
            .collect();
        let [a, b] = [&before, &after].map(Model::of);
        let blocks = Noted::new(a.blocks().iter().chain(b.blocks().iter()).cloned().collect());
        let compare = || diff(&blocks, Some(a.root()), Some(b.root()));
        prop_assert_eq!(compare().map(Result::unwrap).collect::<Vec<_>>(), expected);
        blocks.asked();
        let changed = compare().into_nodes().unwrap();
        let without = |model: &Model, other: &Model| -> Vec<Cid> {
            model.cids().into_iter().filter(|cid| !other.cids().contains(cid)).collect()
        };
        prop_assert_eq!(&changed.created, &without(&b, &a));
        prop_assert_eq!(&changed.deleted, &without(&a, &b));
        let asked = BTreeSet::from_iter(blocks.asked());
        let differing = changed.created.into_iter().chain(changed.deleted).collect();
        if is_near {
            prop_assert!(asked.is_superset(&differing));
        }
        let new = diff(&blocks, None, Some(b.root())).map(Result::unwrap);
        let created = after.iter().map(|(key, value)| (key.clone(), None, Some(*value)));
        prop_assert!(new.map(|change| (change.key, change.before, change.after)).eq(created));
    }

    #[test]
    fn a_proof_has_the_nodes_around_its_key(entries in any_entries(), key in any_key()) {
        let model = Model::of(&entries);
        let blocks = Noted::new(model.blocks());
        let above: Vec<_> = model.nodes().filter(|node| node.is_above(&key)).collect();
        let chain = proof(&blocks, model.root(), key.as_bytes()).unwrap();
        prop_assert!(chain.iter().eq(above.iter().map(|node| &node.block)));
        blocks.asked();
        let found = get(&blocks, model.root(), key.as_bytes()).unwrap();
        prop_assert_eq!(found, entries.get(&key).copied());
        let root = above[0];
        let searched = above.iter().filter(|node| **node == root || node.level >= key.height());
        prop_assert!(searched.map(|node| node.block.cid()).eq(blocks.asked()));
        let mut descent = Descent::new(model.root(), key.as_bytes());
        for node in &above {
            prop_assert_eq!((descent.due(), descent.value()), (Some(node.block.cid()), None));
            descent.node(node.block.bytes()).unwrap();
            let is_last = above.last() == Some(node);
            prop_assert_eq!(descent.is_decided(), is_last || node.level <= key.height());
        }
        prop_assert_eq!((descent.due(), descent.value()), (None, found));
        prop_assert!(descent.is_decided());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_removal_of_an_absent_key_reads_what_a_search_reads(
        entries in any_entries(), key in any_key(), other in any_key(),
    ) {
        let model = Model::of(&entries);
        let blocks = Noted::new(model.blocks());
        let low = |cid: &Cid| {
            model.nodes().any(|node| node.block.cid() == *cid && node.level < key.height())
        };
        let mut tree = Tree::open(&blocks, model.root());
        tree.insert(other, value(0)).unwrap();
        blocks.asked();
        tree.get(key.as_bytes()).unwrap();
        prop_assert!(!blocks.asked().iter().any(low));
        if !entries.contains_key(&key) {
            prop_assert_eq!(Tree::open(&blocks, model.root()).get(key.as_bytes()).unwrap(), None);
            let searched = blocks.asked();
            let mut tree = Tree::open(&blocks, model.root());
            prop_assert_eq!(tree.remove(key.as_bytes()).unwrap(), None);
            prop_assert_eq!(blocks.asked(), searched);
        }
    }

    /// Both walks go down to the changed key, and nowhere else.
    #[test]
    fn a_walk_over_a_base_reads_the_nodes_around_a_changed_value(
        before in any_entries(), index in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!before.is_empty());
        let key = before.keys().nth(index.index(before.len())).unwrap();
        let mut after = before.clone();
        after.insert(key.clone(), value(9));
        let [before, after] = [&before, &after].map(Model::of);
        let [base, blocks] = [&before, &after].map(|model| Noted::new(model.blocks()));
        let over = BaseTree::new(&base, before.root(), &|_| false);
        let steps = walk(&blocks, after.root()).over(over);
        let above = |model: &Model| -> Vec<Cid> {
            model.nodes().filter(|node| node.is_above(key)).map(|node| node.block.cid()).collect()
        };
        let entries = steps.filter(|step| matches!(step, Ok(Step::Entry { .. }))).count();
        prop_assert_eq!(entries, 1);
        prop_assert_eq!(blocks.asked(), above(&after));
        prop_assert_eq!(base.asked(), above(&before));
    }
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
