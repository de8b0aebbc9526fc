//! Properties that hold for every input, tested against very simple oracles.

use std::collections::BTreeMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipld_core::cid::Cid as IpldCid;
use ipld_core::ipld::Ipld;
use pds::data::{Block, Blocks, Cid, Codec, MemoryBlocks, ReadError};
use pds::mst::{Builder, EMPTY_NODE, Key, Tree};
use proptest::prelude::ProptestConfig;
use sha2::{Digest, Sha256};

mod car;
pub(crate) mod cbor;
mod cbor_peer;
mod json;
mod mst;
mod mst_cases;
mod mst_faults;
mod mst_nodes;
mod mst_peer;
mod mst_proof;
mod mst_settle;
pub(crate) mod sync;
mod values;

/// The content of a tree.
type Entries = BTreeMap<Key, Cid>;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A small generator of repeatable numbers (splitmix64), for inputs that are not worth shrinking.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    pub(crate) fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }
}

/// Blocks that grow while trees read from them, count the reads, and fail on demand.
#[derive(Default)]
struct TestBlocks {
    blocks: RwLock<MemoryBlocks>,
    reads: AtomicUsize,
    /// The number of the read that fails, counted from 1, or 0 if no read fails.
    fails_at: AtomicUsize,
}

impl TestBlocks {
    fn extend(&self, blocks: impl IntoIterator<Item = Block>) {
        self.blocks.write().unwrap().extend(blocks);
    }

    fn remove(&self, cid: &Cid) {
        assert!(self.blocks.write().unwrap().remove(cid));
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Makes the n-th read from now fail, once.
    fn fail_at(&self, n: usize) {
        self.fails_at.store(self.reads() + n, Ordering::Relaxed);
    }

    /// Ends the failures, and returns whether a read has failed.
    fn has_failed(&self) -> bool {
        let at = self.fails_at.swap(0, Ordering::Relaxed);
        at != 0 && at <= self.reads()
    }
}

impl Blocks for TestBlocks {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let number = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        if number == self.fails_at.load(Ordering::Relaxed) {
            return Err(ReadError::backend(*cid, "a read that was told to fail"));
        }
        self.blocks.read().unwrap().get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }
}

fn key(text: &str) -> Key {
    Key::new(text.as_bytes()).unwrap()
}

/// Returns one of a few record CIDs.
fn record(number: u8) -> Cid {
    Cid::of(Codec::Cbor, &[number])
}

/// Returns keys of every height up to 6, so that small trees are tall and have gaps.
///
/// The keys are found by trial: one in 4^n keys has height n or more.
fn mined_keys() -> Vec<Key> {
    let wanted = [6, 6, 4, 3, 2, 2, 1];
    let mut keys = Vec::new();
    for collection in ["com.example.a", "com.example.a.b", "org.example.z"] {
        let mut missing = wanted;
        for n in 0_u64.. {
            // The keys are spread over the range, so that high keys are between low ones.
            let rkey = n.wrapping_mul(0x9e37_79b9) % 1_000_000;
            let key = key(&format!("{collection}/{rkey:06}"));
            if let Some(missing) = missing.get_mut(usize::from(naive_height(key.as_bytes())))
                && *missing > 0
                && !keys.contains(&key)
            {
                *missing -= 1;
                keys.push(key);
            }
            if missing.iter().all(|missing| *missing == 0) {
                break;
            }
        }
    }
    keys
}

/// Builds a tree with the [`Builder`] and returns its root and its nodes.
fn built(entries: &Entries) -> (Cid, Vec<Block>) {
    let mut nodes = Vec::new();
    let mut builder = Builder::default();
    for (key, value) in entries {
        builder.push(key.as_bytes(), *value, |node| nodes.push(node)).unwrap();
    }
    (builder.finish(|node| nodes.push(node)), nodes)
}

/// Builds a tree as the specification defines it, with another CBOR library.
pub(crate) fn naive_root(entries: &Entries) -> Cid {
    let entries: Vec<(&[u8], Cid)> = entries.iter().map(|(k, v)| (k.as_bytes(), *v)).collect();
    let highest = entries.iter().map(|(key, _)| naive_height(key)).max();
    match highest {
        Some(level) => naive_node(&entries, level),
        None => Cid::of(Codec::Cbor, &EMPTY_NODE),
    }
}

/// Returns the node of one level over a range of keys. It has the keys of its height, and its subtrees have the keys
/// between them.
fn naive_node(entries: &[(&[u8], Cid)], level: u8) -> Cid {
    let subtree = |entries: &[(&[u8], Cid)]| match entries {
        [] => Ipld::Null,
        entries => link(naive_node(entries, level - 1)),
    };
    let in_here: Vec<usize> =
        (0..entries.len()).filter(|at| naive_height(entries[*at].0) == level).collect();
    let mut list = Vec::new();
    let mut before: &[u8] = &[];
    for (nth, at) in in_here.iter().enumerate() {
        let (key, value) = entries[*at];
        let shared = (0..=key.len()).rev().find(|len| before.starts_with(&key[..*len])).unwrap();
        let next = in_here.get(nth + 1).copied().unwrap_or(entries.len());
        list.push(ipld_map([
            ("p", Ipld::Integer(shared as i128)),
            ("k", Ipld::Bytes(key[shared..].to_vec())),
            ("v", link(value)),
            ("t", subtree(&entries[at + 1..next])),
        ]));
        before = key;
    }
    let first = in_here.first().copied().unwrap_or(entries.len());
    let node = ipld_map([("l", subtree(&entries[..first])), ("e", Ipld::List(list))]);
    Cid::of(Codec::Cbor, &serde_ipld_dagcbor::to_vec(&node).unwrap())
}

/// Counts the leading zeros of the SHA-256 bit by bit, in pairs.
fn naive_height(key: &[u8]) -> u8 {
    let digest = Sha256::digest(key);
    let bit = |at: usize| digest[at / 8] & (0x80 >> (at % 8)) != 0;
    let zeros = (0..256).take_while(|at| !bit(*at)).count();
    u8::try_from(zeros / 2).unwrap()
}

fn ipld_map<const N: usize>(pairs: [(&str, Ipld); N]) -> Ipld {
    Ipld::Map(pairs.map(|(key, value)| (key.to_owned(), value)).into())
}

fn link(cid: Cid) -> Ipld {
    Ipld::Link(IpldCid::try_from(&cid.as_bytes()[..]).unwrap())
}

/// Sets or removes a key in a tree and in a map, and checks that both return the same previous value.
fn edit(tree: &mut Tree<'_>, entries: &mut Entries, key: &Key, value: Option<Cid>) {
    let (found, expected) = match value {
        Some(value) => (tree.insert(key.clone(), value), entries.insert(key.clone(), value)),
        None => (tree.remove(key.as_bytes()), entries.remove(key)),
    };
    assert_eq!(found.unwrap(), expected, "{key}");
}
