//! A second reader of trees, as simple as the definition: a tree is valid if its listing makes the same tree.

use std::collections::{BTreeMap, HashMap};

use ipld_core::ipld::Ipld;
use pds::data::limits::{MAX_NODE_ENTRIES, MAX_TREE_KEY_BYTES};
use pds::data::{Block, Cid, Codec};
use pds::mst::Key;

use crate::properties::naive_root;

/// What the second reader says about a tree.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// The one right tree of these entries.
    Tree(BTreeMap<Vec<u8>, Cid>),
    /// Not a tree, with all entries that were found.
    Other(Vec<(Vec<u8>, Cid)>),
}

impl Said {
    /// Returns all entries that were found.
    pub(super) fn has(&self, key: &[u8], value: Cid) -> bool {
        match self {
            Self::Tree(entries) => entries.get(key) == Some(&value),
            Self::Other(entries) => entries.iter().any(|(k, v)| k == key && *v == value),
        }
    }
}

/// Reads a tree without checking anything, and then builds the tree of what was found.
pub(super) fn peer(blocks: &[Block], root: Cid) -> Said {
    let blocks = blocks.iter().map(|block| (block.cid(), block.bytes())).collect();
    let mut reader = Reader { blocks, found: Vec::new(), is_whole: true, visits: 0 };
    reader.node(root, 0);
    let Reader { found, is_whole, .. } = reader;
    let ascends = found.is_sorted_by(|(one, _), (next, _)| one < next);
    let fits = |(key, _): &(Vec<u8>, Cid)| (1..=MAX_TREE_KEY_BYTES).contains(&key.len());
    if is_whole && ascends && found.iter().all(fits) {
        let keys = found.iter().map(|(key, value)| (Key::new(key.clone()).unwrap(), *value));
        if naive_root(&keys.collect()) == root {
            return Said::Tree(found.into_iter().collect());
        }
    }
    Said::Other(found)
}

struct Reader<'a> {
    blocks: HashMap<Cid, &'a [u8]>,
    found: Vec<(Vec<u8>, Cid)>,
    is_whole: bool,
    visits: usize,
}

impl Reader<'_> {
    fn node(&mut self, cid: Cid, depth: usize) {
        self.visits += 1;
        if depth > 130 || self.visits > 20_000 || self.fields(cid, depth).is_none() {
            self.is_whole = false;
        }
    }

    fn fields(&mut self, cid: Cid, depth: usize) -> Option<()> {
        let bytes = self.blocks.get(&cid)?;
        let Ok(Ipld::Map(node)) = serde_ipld_dagcbor::from_slice(bytes) else { return None };
        let Some(Ipld::List(entries)) = node.get("e") else { return None };
        if cid.codec() != Codec::Cbor || entries.len() > MAX_NODE_ENTRIES {
            return None;
        }
        self.subtree(node.get("l")?, depth)?;
        let mut before = Vec::new();
        for entry in entries {
            let Ipld::Map(entry) = entry else { return None };
            let (Ipld::Integer(prefix), Ipld::Bytes(rest)) = (entry.get("p")?, entry.get("k")?)
            else {
                return None;
            };
            let shared = before.get(..usize::try_from(*prefix).ok()?)?;
            let key = [shared, rest].concat();
            let Ipld::Link(value) = entry.get("v")? else { return None };
            self.found.push((key.clone(), Cid::from_bytes(&value.to_bytes()).ok()?));
            before = key;
            self.subtree(entry.get("t")?, depth)?;
        }
        Some(())
    }

    fn subtree(&mut self, link: &Ipld, depth: usize) -> Option<()> {
        match link {
            Ipld::Null => {}
            Ipld::Link(cid) => {
                self.node(Cid::from_bytes(&cid.to_bytes()).ok()?, depth + 1);
            }
            _ => return None,
        }
        Some(())
    }
}
