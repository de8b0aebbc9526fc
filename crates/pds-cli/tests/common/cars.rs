//! CAR files made by hand: valid, unusual and hostile ones.

use pds::car::{CarReader, CarWriter};
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Cid, Codec, Value};
use pds::mst::Builder;

use super::DID;

/// A signed repository as blocks: the commit, the tree, the records.
pub(crate) struct Car {
    pub(crate) commit: Commit,
    pub(crate) blocks: Vec<Block>,
}

impl Car {
    /// A repository with some records, its tree built in one go.
    pub(crate) fn of(records: impl IntoIterator<Item = (Vec<u8>, Block)>) -> Self {
        let mut records: Vec<(Vec<u8>, Block)> = records.into_iter().collect();
        records.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut blocks = Vec::new();
        let mut builder = Builder::default();
        for (key, record) in &records {
            builder.push(key, record.cid(), |node| blocks.push(node)).unwrap();
        }
        let root = builder.finish(|node| blocks.push(node));
        blocks.extend(records.into_iter().map(|(_, record)| record));
        Self::with_tree(root, blocks)
    }

    /// A repository with any given tree.
    pub(crate) fn with_tree(data: Cid, mut blocks: Vec<Block>) -> Self {
        let rev = "3jzfcijpj2z2a".parse().unwrap();
        let unsigned = UnsignedCommit { did: DID.parse().unwrap(), data, rev, prev: None };
        let commit = unsigned.sign(&SigningKey::generate(Curve::K256).unwrap()).unwrap();
        blocks.insert(0, commit.block().clone());
        Self { commit, blocks }
    }

    /// The same repository of another account.
    pub(crate) fn by(self, did: &str) -> Self {
        self.signed(did, "3jzfcijpj2z2a")
    }

    /// The same repository at another rev.
    pub(crate) fn at(self, rev: &str) -> Self {
        self.signed(DID, rev)
    }

    fn signed(mut self, did: &str, rev: &str) -> Self {
        let (did, data, rev) = (did.parse().unwrap(), self.commit.data(), rev.parse().unwrap());
        let unsigned = UnsignedCommit { did, data, rev, prev: None };
        self.commit = unsigned.sign(&SigningKey::generate(Curve::K256).unwrap()).unwrap();
        self.blocks[0] = self.commit.block().clone();
        self
    }

    /// The file, with the commit as its root.
    pub(crate) fn file(&self) -> Vec<u8> {
        self.file_with_roots(&[self.commit.cid()])
    }

    pub(crate) fn file_with_roots(&self, roots: &[Cid]) -> Vec<u8> {
        let mut car = CarWriter::new(Vec::new(), roots).unwrap();
        for block in &self.blocks {
            car.block(block.borrowed()).unwrap();
        }
        car.finish().unwrap()
    }
}

/// A record of the test collection.
pub(crate) fn note(text: &str) -> Block {
    let (kind, text) = (Value::from("com.example.note"), Value::from(text));
    Block::new(Codec::Cbor, Value::from([("$type", kind), ("text", text)]).encode())
}

/// A tree node with entries of key, value and subtree, as it must be encoded.
pub(crate) fn node(entries: &[(Vec<u8>, Cid, Option<Cid>)], left: Option<Cid>) -> Block {
    let link = |cid: Option<Cid>| cid.map_or(Value::Null, Value::Link);
    let mut before: &[u8] = &[];
    let entries = entries.iter().map(|(key, value, right)| {
        let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        before = key;
        Value::from([
            ("k", Value::from(&key[shared..])),
            ("p", Value::from(i64::try_from(shared).unwrap())),
            ("t", link(*right)),
            ("v", Value::Link(*value)),
        ])
    });
    let node = Value::from([("e", Value::from_iter(entries)), ("l", link(left))]);
    Block::new(Codec::Cbor, node.encode())
}

/// A CAR file with another root.
pub(crate) fn with_root(file: &[u8], root: &str) -> Vec<u8> {
    copied(file, Some(root.parse().unwrap()), None)
}

/// A CAR file that lacks a block.
pub(crate) fn without(file: &[u8], block: &str) -> Vec<u8> {
    copied(file, None, Some(block.parse().unwrap()))
}

fn copied(file: &[u8], root: Option<Cid>, left_out: Option<Cid>) -> Vec<u8> {
    let mut reader = CarReader::new(file).unwrap();
    let roots = root.map_or_else(|| reader.roots().to_vec(), |root| vec![root]);
    let mut car = CarWriter::new(Vec::new(), &roots).unwrap();
    while let Some(section) = reader.next_section().unwrap() {
        if Some(section.block.cid()) != left_out {
            car.block(section.block).unwrap();
        }
    }
    car.finish().unwrap()
}
