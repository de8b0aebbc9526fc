//! Edits in key order, after which finished nodes leave the memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use pds::data::{Block, Cid};
use pds::mst::{Key, Tree, nodes};
use proptest::prelude::*;

use super::{TestBlocks, built, config, mined_keys, record};

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(mined_keys);

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn settled_nodes_are_never_needed_again(
        base in prop::collection::btree_map(0..KEYS.len(), 0..3_u8, 0..80),
        edits in prop::collection::btree_map(
            0..KEYS.len(),
            (prop::option::weighted(0.5, 0..3_u8), prop::bool::weighted(0.7)),
            1..80,
        ),
    ) {
        let mut sorted = KEYS.clone();
        sorted.sort();
        let key = |at: usize| sorted[at].clone();
        let mut entries: BTreeMap<Key, Cid> =
            base.into_iter().map(|(at, value)| (key(at), record(value))).collect();
        let (root, before) = built(&entries);
        let blocks = TestBlocks::default();
        blocks.extend(before.clone());
        // The settled nodes are not among the blocks of the tree, so a step that needs one fails.
        let (mut tree, mut made) = (Tree::open(&blocks, root), Vec::<Block>::new());
        for (at, (value, settle)) in edits {
            let key = key(at);
            let found = match value.map(record) {
                Some(value) => {
                    prop_assert_eq!(tree.insert(key.clone(), value).unwrap(), entries.get(&key).copied());
                    entries.insert(key.clone(), value)
                }
                None => {
                    prop_assert_eq!(tree.remove(key.as_bytes()).unwrap(), entries.get(&key).copied());
                    entries.remove(&key)
                }
            };
            prop_assert!(found.is_none_or(|cid| (0..3).any(|n| cid == record(n))));
            if settle {
                made.extend(tree.settle(&key));
            }
        }
        let written = tree.write().unwrap();
        made.extend(written.nodes);
        prop_assert_eq!(written.root, built(&entries).0);
        // Every node of the new tree is an old one or was returned, and nothing else was.
        let all = TestBlocks::default();
        all.extend(before);
        all.extend(made.iter().cloned());
        let needed: BTreeSet<Cid> =
            nodes(&all, written.root).map(|node| node.unwrap().cid()).collect();
        let names: BTreeSet<Cid> = made.iter().map(Block::cid).collect();
        prop_assert_eq!(names.len(), made.len());
        prop_assert!(names.is_subset(&needed));
    }
}
