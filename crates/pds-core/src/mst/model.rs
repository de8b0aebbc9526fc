//! The tree of a set of entries as the specification defines it, for tests that compare other trees with it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use ipld_core::cid::Cid as IpldCid;
use ipld_core::ipld::Ipld;
use proptest::prelude::*;

use crate::data::block::{Block, Blocks, MemoryBlocks, ReadError};
use crate::data::cid::{Cid, Codec};
use crate::mst::key::Key;
use crate::mst::node::EMPTY_NODE;

pub(super) type Entries = BTreeMap<Key, Cid>;

/// A part of a tree, in the order of a walk.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Node(Named),
    Entry(Key, Cid),
}

/// A node, and the keys around it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) block: Block,
    pub(super) level: u8,
    after: Option<Key>,
    before: Option<Key>,
}

impl Named {
    /// Returns whether the node may still change if keys after this one are added.
    pub(super) fn is_open_after(&self, key: &Key) -> bool {
        self.after.as_ref().is_none_or(|after| after <= key)
            && self.before.as_ref().is_none_or(|before| key < before)
    }

    /// Returns whether a descent to a key goes through this node.
    pub(super) fn is_above(&self, key: &Key) -> bool {
        self.after.as_ref().is_none_or(|after| after < key)
            && self.before.as_ref().is_none_or(|before| key < before)
    }
}

/// The whole tree.
pub(super) struct Model {
    pub(super) parts: Vec<Part>,
}

impl Model {
    pub(super) fn of(entries: &Entries) -> Self {
        let all: Vec<(Key, Cid)> = entries.iter().map(|(key, cid)| (key.clone(), *cid)).collect();
        let mut parts = Vec::new();
        match all.iter().map(|(key, _)| key.height()).max() {
            Some(level) => drop(add(&mut parts, &all, level, [None, None])),
            None => {
                let block = Block::new(Codec::Cbor, EMPTY_NODE);
                parts.push(Part::Node(Named { block, level: 0, after: None, before: None }));
            }
        }
        Self { parts }
    }

    /// Returns the parts on this many levels, from the root down.
    pub(super) fn top(&self, levels: u8) -> impl Iterator<Item = &Part> {
        let top = self.nodes().next().map_or(0, |root| root.level);
        self.parts.iter().filter(move |part| match part {
            Part::Node(node) => node.level + levels > top,
            Part::Entry(key, _) => key.height() + levels > top,
        })
    }

    /// Returns the nodes, parents first.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Named> {
        self.parts.iter().filter_map(|part| match part {
            Part::Node(node) => Some(node),
            Part::Entry(..) => None,
        })
    }

    pub(super) fn cids(&self) -> Vec<Cid> {
        self.nodes().map(|node| node.block.cid()).collect()
    }

    pub(super) fn root(&self) -> Cid {
        self.cids()[0]
    }

    pub(super) fn blocks(&self) -> MemoryBlocks {
        self.nodes().map(|node| node.block.clone()).collect()
    }
}

/// Adds the subtree of these entries, whose highest node is on this level, and returns its CID.
fn add(parts: &mut Vec<Part>, entries: &[(Key, Cid)], level: u8, around: [Option<&Key>; 2]) -> Cid {
    let place = parts.len();
    let is_here = |at: &usize| entries[*at].0.height() == level;
    let here: Vec<usize> = (0..entries.len()).filter(is_here).collect();
    let key = |nth: usize| here.get(nth).map(|at| &entries[*at].0);
    let (mut left, mut list, mut previous) = (Ipld::Null, Vec::new(), &b""[..]);
    for gap in 0..=here.len() {
        let entry = gap.checked_sub(1).map(|nth| &entries[here[nth]]);
        parts.extend(entry.map(|(key, value)| Part::Entry(key.clone(), *value)));
        let start = gap.checked_sub(1).map_or(0, |nth| here[nth] + 1);
        let below = &entries[start..here.get(gap).copied().unwrap_or(entries.len())];
        let around = [entry.map(|(key, _)| key).or(around[0]), key(gap).or(around[1])];
        let subtree = match below {
            [] => Ipld::Null,
            below => link(add(parts, below, level - 1, around)),
        };
        let Some((key, value)) = entry else {
            left = subtree;
            continue;
        };
        let key = key.as_bytes();
        let shared = (0..=key.len()).rev().find(|n| previous.starts_with(&key[..*n])).unwrap();
        list.push(map([
            ("p", Ipld::Integer(shared as i128)),
            ("k", Ipld::Bytes(key[shared..].to_vec())),
            ("v", link(*value)),
            ("t", subtree),
        ]));
        previous = key;
    }
    let node = map([("l", left), ("e", Ipld::List(list))]);
    let block = Block::new(Codec::Cbor, serde_ipld_dagcbor::to_vec(&node).unwrap());
    let (cid, [after, before]) = (block.cid(), around.map(|key| key.cloned()));
    parts.insert(place, Part::Node(Named { block, level, after, before }));
    cid
}

fn map<const N: usize>(pairs: [(&str, Ipld); N]) -> Ipld {
    Ipld::Map(pairs.map(|(key, value)| (key.to_owned(), value)).into())
}

fn link(cid: Cid) -> Ipld {
    Ipld::Link(IpldCid::try_from(&cid.as_bytes()[..]).unwrap())
}

/// Keys of every height up to 5, in key order, so that small trees are tall and have gaps.
pub(super) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut missing = [10, 8, 4, 3, 2, 1];
    let mut keys = Vec::new();
    for n in 0_u32.. {
        // Consecutive numbers give keys that are far apart, so that high keys are between low ones.
        let key = Key::new(format!("note/{:08x}", n.wrapping_mul(0x9e37_79b9)).into_bytes());
        let key = key.unwrap();
        if let Some(missing @ 1..) = missing.get_mut(usize::from(key.height())) {
            *missing -= 1;
            keys.push(key);
        }
        if missing.iter().all(|missing| *missing == 0) {
            break;
        }
    }
    keys.sort();
    keys
});

/// Returns one of a few CIDs of records.
pub(super) fn value(n: u8) -> Cid {
    Cid::of(Codec::Cbor, &[n])
}

pub(super) fn any_key() -> impl Strategy<Value = Key> {
    (0..KEYS.len()).prop_map(|at| KEYS[at].clone())
}

pub(super) fn any_entries() -> impl Strategy<Value = Entries> {
    prop::collection::btree_map(any_key(), (0..3_u8).prop_map(value), 0..KEYS.len())
}

/// Keys to set, or to remove if they have no value.
pub(super) fn edits(most: usize) -> impl Strategy<Value = Vec<(Key, Option<Cid>)>> {
    let value = prop::option::weighted(0.6, (0..3_u8).prop_map(value));
    prop::collection::vec((any_key(), value), 1..most)
}

/// Sets a key, or removes it, and returns its value before.
pub(super) fn edit(entries: &mut Entries, key: &Key, value: Option<Cid>) -> Option<Cid> {
    match value {
        Some(value) => entries.insert(key.clone(), value),
        None => entries.remove(key),
    }
}

/// Blocks that record the CIDs that are read.
pub(super) struct Noted {
    blocks: MemoryBlocks,
    /// The number of blocks that may be asked for together, and the most that are returned then.
    pub(super) batch: usize,
    pub(super) answers: usize,
    asked: Mutex<Vec<Cid>>,
}

impl Noted {
    pub(super) fn new(blocks: MemoryBlocks) -> Self {
        Self { blocks, batch: 1, answers: usize::MAX, asked: Mutex::default() }
    }

    pub(super) fn asked(&self) -> Vec<Cid> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Blocks for Noted {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.asked.lock().unwrap().push(*cid);
        self.blocks.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        assert!(cids.len() <= self.batch.max(1), "{} of {}", cids.len(), self.batch);
        cids.iter().take(self.answers).map(|cid| self.get(cid)).collect()
    }

    fn batch(&self) -> usize {
        self.batch
    }
}

#[path = "model_tests.rs"]
mod tests;
