//! Repositories made by hand: trees of any shape, with right hashes and a right signature.

use std::collections::BTreeMap;
use std::sync::Arc;

use pds::car::CarWriter;
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, Signer, SigningKey};
use pds::data::{Block, Cid, Codec, Map, MemoryBlocks, Value};
use pds::mst::height;
use pds::syntax::Did;

/// The account of all forged repositories.
pub(super) const DID: &str = "did:web:alice.example.com";
pub(super) const REV: &str = "3jzfcijpj2z2a";

pub(super) fn did() -> Did {
    DID.parse().unwrap()
}

pub(super) fn key() -> SigningKey {
    SigningKey::from_bytes(Curve::K256, &[3; 32]).unwrap()
}

/// The last change of a node: from its fields to its bytes.
pub(super) type Bend = Arc<dyn Fn(Value) -> Vec<u8>>;

/// A node with its subtrees, which may break every rule.
#[derive(Clone, Default)]
pub(super) struct Shape {
    pub(super) left: Option<Box<Self>>,
    pub(super) entries: Vec<Slot>,
    pub(super) bend: Option<Bend>,
    /// A link that is written in place of the node, whose block is then left out.
    pub(super) instead: Option<Cid>,
}

/// An entry of a node.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) key: Vec<u8>,
    pub(super) value: Cid,
    pub(super) right: Option<Box<Shape>>,
}

impl Shape {
    /// Returns the one right tree of some entries.
    pub(super) fn of(entries: &BTreeMap<Vec<u8>, Cid>) -> Self {
        let entries: Vec<(&[u8], Cid)> =
            entries.iter().map(|(key, cid)| (key.as_slice(), *cid)).collect();
        let top = entries.iter().map(|(key, _)| height(key)).max();
        top.map_or_else(Self::default, |level| Self::on(&entries, level))
    }

    fn on(entries: &[(&[u8], Cid)], level: u8) -> Self {
        let below = |entries: &[(&[u8], Cid)]| match entries {
            [] => None,
            entries => Some(Box::new(Self::on(entries, level - 1))),
        };
        let mut groups = entries.chunk_by(|_, (key, _)| height(key) != level).peekable();
        let mut shape = Self::default();
        if groups.peek().is_some_and(|first| height(first[0].0) != level) {
            shape.left = groups.next().and_then(below);
        }
        for group in groups {
            let right = below(&group[1..]);
            shape.entries.push(Slot { key: group[0].0.to_vec(), value: group[0].1, right });
        }
        shape
    }

    /// Returns a node with only a subtree.
    pub(super) fn above(self) -> Self {
        Self { left: Some(Box::new(self)), ..Self::default() }
    }

    /// Returns the subtrees from left to right, each with its place.
    pub(super) fn places(&mut self) -> impl Iterator<Item = &mut Option<Box<Self>>> {
        let rights = self.entries.iter_mut().map(|slot| &mut slot.right);
        std::iter::once(&mut self.left).chain(rights)
    }

    /// Counts the nodes.
    pub(super) fn count(&self) -> usize {
        let rights = self.entries.iter().map(|slot| &slot.right);
        let below = std::iter::once(&self.left).chain(rights).flatten();
        1 + below.map(|node| node.count()).sum::<usize>()
    }

    /// Returns the node with this number, from the root on, parents before children.
    pub(super) fn node(&mut self, number: usize) -> Option<&mut Self> {
        if number == 0 {
            return Some(self);
        }
        let mut left = number - 1;
        for child in self.places().flatten() {
            let count = child.count();
            if left < count {
                return child.node(left);
            }
            left -= count;
        }
        None
    }

    /// Returns the root and all blocks in the order of an export: each node, then its records and subtrees.
    pub(super) fn write(&self, records: &MemoryBlocks) -> (Cid, Vec<Block>) {
        let (mut cid, mut blocks) = self.node_and_below(records);
        if let Some(instead) = self.instead {
            (cid, blocks) = (instead, Vec::new());
        }
        (cid, blocks)
    }

    fn node_and_below(&self, records: &MemoryBlocks) -> (Cid, Vec<Block>) {
        let mut below = Vec::new();
        let written = |shape: &Option<Box<Self>>, below: &mut Vec<Block>| {
            let Some(shape) = shape else { return Value::Null };
            let (cid, blocks) = shape.write(records);
            below.extend(blocks);
            Value::Link(cid)
        };
        let left = written(&self.left, &mut below);
        let (mut entries, mut before): (_, &[u8]) = (Vec::new(), &[]);
        for Slot { key, value, right } in &self.entries {
            below.extend(pds::data::Blocks::get(records, value).unwrap());
            let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
            entries.push(Value::from([
                ("k", Value::from(&key[shared..])),
                ("p", Value::Int(i64::try_from(shared).unwrap())),
                ("t", written(right, &mut below)),
                ("v", Value::Link(*value)),
            ]));
            before = key;
        }
        let fields = Value::from([("e", Value::List(entries)), ("l", left)]);
        let bytes = self.bend.as_ref().map_or_else(|| fields.encode(), |bend| bend(fields.clone()));
        let node = Block::new(Codec::Cbor, bytes);
        let cid = node.cid();
        below.insert(0, node);
        (cid, below)
    }
}

/// A repository: its root and its blocks, in the order of an export.
#[derive(Clone)]
pub(super) struct Forged {
    pub(super) commit: Block,
    pub(super) data: Cid,
    pub(super) blocks: Vec<Block>,
}

impl Forged {
    /// Signs a tree.
    pub(super) fn of(shape: &Shape, records: &MemoryBlocks) -> Self {
        let (data, blocks) = shape.write(records);
        let commit = UnsignedCommit { did: did(), data, rev: REV.parse().unwrap(), prev: None };
        Self { commit: commit.sign(&key()).unwrap().block().clone(), data, blocks }
    }

    /// The same tree under another commit.
    pub(super) fn with_commit(&self, commit: Block) -> Self {
        Self { commit, ..self.clone() }
    }

    /// Returns the file, with all blocks in their order after the commit.
    pub(super) fn file(&self) -> Vec<u8> {
        let commit = std::slice::from_ref(&self.commit);
        car(&[self.commit.cid()], &[commit, &self.blocks].concat())
    }
}

/// Returns a file with these roots and blocks.
pub(super) fn car(roots: &[Cid], blocks: &[Block]) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new(), roots).unwrap();
    for block in blocks {
        car.block(block.borrowed()).unwrap();
    }
    car.finish().unwrap()
}

/// Returns the fields of the right commit for a tree, without a signature.
pub(super) fn fields(data: Cid) -> Map {
    [
        ("did", Value::from(DID)),
        ("rev", Value::from(REV)),
        ("data", Value::Link(data)),
        ("prev", Value::Null),
        ("version", Value::Int(3)),
    ]
    .into_iter()
    .collect()
}

/// Signs the fields of a commit, whatever they are.
pub(super) fn sign(mut fields: Map, signer: &SigningKey) -> Map {
    fields.remove("sig");
    let signature = signer.sign(&Value::Map(fields.clone()).encode()).unwrap();
    fields.insert("sig", signature.as_bytes().as_slice());
    fields
}

/// Returns the block of a map.
pub(super) fn block(fields: Map) -> Block {
    Block::new(Codec::Cbor, Value::Map(fields).encode())
}

/// Returns the record of a path.
pub(super) fn record(path: &str) -> Block {
    let kind = path.split('/').next().unwrap();
    let value = Value::from([("$type", Value::from(kind)), ("text", Value::from(path))]);
    Block::new(Codec::Cbor, value.encode())
}

/// Returns the first name of a height, among those that begin with a prefix.
pub(super) fn of_height(prefix: &str, wanted: u8) -> String {
    let mut names = (0..).map(|n| format!("{prefix}{n:05}"));
    names.find(|name| height(name.as_bytes()) == wanted).unwrap()
}

/// The records of a small tree with all that a tree can have: five levels, nodes that only bridge a level, nodes with
/// many entries, and subtrees in all places.
pub(super) fn sample() -> (BTreeMap<Vec<u8>, Cid>, MemoryBlocks) {
    let mut paths: Vec<String> = (0..24).map(|n| format!("com.example.note/b{n:03}")).collect();
    for (prefix, wanted) in [("a", 4), ("d", 4), ("c", 2), ("e", 0), ("f", 1)] {
        paths.push(of_height(&format!("com.example.note/{prefix}"), wanted));
    }
    paths.push(of_height("com.example.last/x", 3));
    let (mut entries, mut records) = (BTreeMap::new(), MemoryBlocks::default());
    for path in paths {
        let record = record(&path);
        entries.insert(path.into_bytes(), record.cid());
        records.insert(record);
    }
    (entries, records)
}
