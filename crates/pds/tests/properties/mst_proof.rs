//! The descent to a key, compared with a search through all sets of nodes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ipld_core::ipld::Ipld;
use pds::data::{Block, Cid, MemoryBlocks};
use pds::mst::{Descent, Key, proof};
use proptest::prelude::*;

use super::{Entries, built, config, mined_keys, naive_height, record};

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(mined_keys);

/// The knowledge about a key that follows from some nodes of a tree.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    Present,
    Absent,
    Nothing,
}

/// The known part of a tree, read with another CBOR library.
struct Shown<'s>(BTreeMap<Cid, &'s Block>);

impl Shown<'_> {
    fn asks(&self, root: Cid, key: &[u8]) -> Known {
        match self.0.contains_key(&root) {
            true => self.of_node(root, u8::MAX, (None, None), key),
            false => Known::Nothing,
        }
    }

    /// Visits all subtrees, even those where the key cannot be.
    fn of_node(
        &self,
        cid: Cid,
        at_most: u8,
        (low, high): (Option<&[u8]>, Option<&[u8]>),
        key: &[u8],
    ) -> Known {
        let Some(block) = self.0.get(&cid) else {
            let inside = low.is_none_or(|low| low < key) && high.is_none_or(|high| key < high);
            let may_hold = inside && naive_height(key) <= at_most;
            return if may_hold { Known::Nothing } else { Known::Absent };
        };
        let node: Ipld = serde_ipld_dagcbor::from_slice(block.bytes()).unwrap();
        let Ipld::Map(mut node) = node else { panic!("a node is a map") };
        let (Some(Ipld::List(entries)), Some(left)) = (node.remove("e"), node.remove("l")) else {
            panic!("a node has e and l")
        };
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut subtrees = vec![left];
        for entry in entries {
            let Ipld::Map(mut entry) = entry else { panic!("an entry is a map") };
            let (Some(Ipld::Integer(shared)), Some(Ipld::Bytes(rest)), Some(right)) =
                (entry.remove("p"), entry.remove("k"), entry.remove("t"))
            else {
                panic!("an entry has p, k and t")
            };
            let mut full = keys.last().cloned().unwrap_or_default();
            full.truncate(usize::try_from(shared).unwrap());
            full.extend(rest);
            keys.push(full);
            subtrees.push(right);
        }
        if keys.iter().any(|found| found == key) {
            return Known::Present;
        }
        let level = keys.first().map_or(at_most, |key| naive_height(key));
        let mut known = Known::Absent;
        for (nth, subtree) in subtrees.iter().enumerate() {
            let Ipld::Link(cid) = subtree else { continue };
            let cid = Cid::from_bytes(&cid.to_bytes()).unwrap();
            let low = nth.checked_sub(1).map(|before| &keys[before][..]).or(low);
            let high = keys.get(nth).map(|key| &key[..]).or(high);
            match self.of_node(cid, level.wrapping_sub(1), (low, high), key) {
                Known::Present => return Known::Present,
                Known::Nothing => known = Known::Nothing,
                Known::Absent => {}
            }
        }
        known
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn a_descent_is_decided_by_the_smallest_set_of_nodes_that_shows_the_same(
        chosen in prop::collection::btree_set(0..KEYS.len(), 0..5),
    ) {
        let entries: Entries = chosen.iter().map(|at| (KEYS[*at].clone(), record(0))).collect();
        let (root, nodes) = built(&entries);
        // The number of sets is two to the power of this number.
        prop_assume!(nodes.len() <= 11);
        let all: MemoryBlocks = nodes.iter().cloned().collect();
        let sets: Vec<Shown<'_>> = (0..1_usize << nodes.len())
            .map(|set| {
                let in_it = nodes.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1);
                Shown(in_it.map(|(_, node)| (node.cid(), node)).collect())
            })
            .collect();
        for key in KEYS.iter().step_by(3).chain(entries.keys()) {
            let expected = match entries.contains_key(key) {
                true => Known::Present,
                false => Known::Absent,
            };
            let enough = sets.iter().filter(|set| set.asks(root, key.as_bytes()) != Known::Nothing);
            let fewest = enough.map(|set| set.0.len()).min().unwrap();
            let found = proof(&all, root, key.as_bytes()).unwrap();
            let mut descent = Descent::new(root, key.as_bytes());
            for (count, node) in found.iter().enumerate() {
                prop_assert_eq!(descent.is_decided(), count >= fewest);
                prop_assert_eq!(descent.due(), Some(node.cid()));
                descent.node(node.bytes()).unwrap();
                let shown = Shown(found[..=count].iter().map(|node| (node.cid(), node)).collect());
                let known = shown.asks(root, key.as_bytes());
                let expected = if descent.is_decided() { expected } else { Known::Nothing };
                prop_assert!(known == expected);
            }
            prop_assert!(descent.is_decided() && descent.due().is_none());
        }
    }
}
