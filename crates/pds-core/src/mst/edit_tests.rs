use super::*;
use crate::data::block::MemoryBlocks;
use crate::mst::build::Builder;
use crate::mst::model::{KEYS, value};
use crate::mst::range::range;

/// Keys of height 0 that are in one node: no key in their order is higher.
fn low_keys(start: &str, count: usize) -> impl Iterator<Item = Key> {
    let text = format!("{start}/");
    let all = (0..).map(move |n: u32| Key::new(format!("{text}{n:06}").into_bytes()).unwrap());
    all.filter(|key| key.height() == 0).take(count)
}

#[test]
fn a_node_has_a_limited_number_of_entries() {
    let nothing = MemoryBlocks::default();
    let (mut tree, mut builder) = (Tree::empty(&nothing), Builder::default());
    let keys: Vec<Key> = low_keys("a", MAX_NODE_ENTRIES + 1).collect();
    let (last, keys) = keys.split_last().unwrap();
    for key in keys {
        assert_eq!(tree.insert(key.clone(), value(0)).unwrap(), None);
        builder.push(key.as_bytes(), value(0), drop).unwrap();
    }
    let full = tree.write().unwrap();
    assert!(matches!(tree.insert(last.clone(), value(0)), Err(MstError::Full)));
    assert!(matches!(builder.push(last.as_bytes(), value(0), drop), Err(MstError::Full)));
    assert_eq!((tree.write().unwrap().root, builder.finish(drop)), (full.root, full.root));
    let blocks: MemoryBlocks = full.nodes.into_iter().collect();
    assert_eq!(range(&blocks, full.root, ..).filter(Result::is_ok).count(), MAX_NODE_ENTRIES);
    // Higher keys still have room.
    let high = KEYS.iter().find(|key| key.height() == 2).unwrap();
    assert_eq!(tree.insert(high.clone(), value(0)).unwrap(), None);
}

#[test]
fn a_joined_node_has_a_limited_number_of_entries() {
    let high = (0..).map(|n: u32| Key::new(format!("b/{n}").into_bytes()).unwrap());
    let high = high.into_iter().find(|key| key.height() == 1).unwrap();
    for (count, fits) in [(MAX_NODE_ENTRIES / 2, true), (MAX_NODE_ENTRIES / 2 + 1, false)] {
        let nothing = MemoryBlocks::default();
        let mut tree = Tree::empty(&nothing);
        let keys = low_keys("a", count).chain(low_keys("c", MAX_NODE_ENTRIES / 2));
        for key in [high.clone()].into_iter().chain(keys) {
            tree.insert(key, value(0)).unwrap();
        }
        let before = tree.write().unwrap().root;
        match tree.remove(high.as_bytes()) {
            Ok(found) => assert_eq!((found, fits), (Some(value(0)), true)),
            Err(error) => {
                assert!(matches!(error, MstError::Full) && !fits, "{error}");
                assert_eq!(tree.write().unwrap().root, before);
            }
        }
    }
}
