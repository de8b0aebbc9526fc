//! Repositories that a host could claim to have.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pds_core::commit::{Commit, UnsignedCommit};
use pds_core::crypto::signing_key::SigningKey;
use pds_core::data::block::Block;
use pds_core::data::cid::{Cid, Codec};
use pds_core::data::value::Value;
use pds_core::syntax::tid::Tid;
use serde_json::json;

use crate::car;
use crate::liar::proxy::Liar;
use crate::liar::rule::{Canned, Lie, Rule};

/// All blocks of a repository. The signature, the tree or the blocks may be wrong.
#[derive(Clone, Debug)]
pub struct Forged {
    commit: Block,
    others: Vec<Block>,
}

impl Forged {
    /// Returns the true repository of an export.
    pub fn of(export: &[u8]) -> Self {
        let (roots, mut others) = car::blocks(export);
        let at = others.iter().position(|block| block.cid() == roots[0]).unwrap();
        Self { commit: others.remove(at), others }
    }

    /// Signs another commit over the same tree. It has a rev of now, and a function changes its fields.
    #[must_use]
    pub fn signed(self, key: &SigningKey, change: impl FnOnce(&mut UnsignedCommit)) -> Self {
        let commit = self.commit();
        let (did, data) = (commit.did().clone(), commit.data());
        let rev = Tid::next(micros(), 0, commit.rev()).unwrap();
        let mut unsigned = UnsignedCommit { did, data, rev, prev: None };
        change(&mut unsigned);
        Self { commit: unsigned.sign(key).unwrap().block().clone(), ..self }
    }

    /// Signs a commit over one hand-made node, whose entries need not be where the rules of the tree want them.
    #[must_use]
    pub fn with_node(mut self, key: &SigningKey, entries: &[(&[u8], Cid)]) -> Self {
        let entries = entries.iter().map(|(key, value)| {
            Value::from([
                ("k", Value::from(*key)),
                ("p", Value::from(0)),
                ("t", Value::Null),
                ("v", Value::Link(*value)),
            ])
        });
        let node = Value::from([("e", Value::from_iter(entries)), ("l", Value::Null)]);
        let node = Block::new(Codec::Cbor, node.encode());
        let root = node.cid();
        self.others.push(node);
        self.signed(key, |unsigned| unsigned.data = root)
    }

    /// Signs a commit over a tree with one record.
    #[must_use]
    pub fn with_record(mut self, key: &SigningKey, path: &str, record: &Value) -> Self {
        let record = Block::new(Codec::Cbor, record.encode());
        let value = record.cid();
        self.others = vec![record];
        self.with_node(key, &[(path.as_bytes(), value)])
    }

    /// Changes the signature of the commit.
    #[must_use]
    pub fn with_signature(self, change: impl FnOnce(&mut [u8; 64])) -> Self {
        let value = Value::decode(self.commit.bytes()).unwrap();
        let mut fields = value.as_map().unwrap().clone();
        let mut signature =
            fields.get("sig").and_then(Value::as_bytes).unwrap().try_into().unwrap();
        change(&mut signature);
        fields.insert("sig", signature.as_slice());
        Self { commit: Block::new(Codec::Cbor, Value::Map(fields).encode()), ..self }
    }

    /// Loses a block.
    #[must_use]
    pub fn without(mut self, cid: Cid) -> Self {
        self.others.retain(|block| block.cid() != cid);
        self
    }

    /// Returns the blocks without the commit.
    pub fn blocks(&self) -> &[Block] {
        &self.others
    }

    /// Returns the CID of the commit.
    pub fn head(&self) -> Cid {
        self.commit.cid()
    }

    /// Returns the rev of the commit.
    pub fn rev(&self) -> String {
        self.commit().rev().unwrap().to_string()
    }

    /// Returns the repository as a CAR file.
    pub fn car(&self) -> Vec<u8> {
        let blocks = [std::slice::from_ref(&self.commit), &self.others].concat();
        car::file(&[self.head()], &blocks)
    }

    /// Makes a proxy answer with this repository wherever a host speaks of blocks or of the present commit.
    pub fn show_on(&self, liar: &Liar) {
        let head = json!({ "cid": self.head().to_string(), "rev": self.rev() }).to_string();
        let json = |body: String| Lie::answer(200, "application/json", &[], body);
        let did = self.commit().did().to_string();
        let status = json!({ "did": did, "active": true, "rev": self.rev() });
        liar.add(Rule::every("sync.getLatestCommit", json(head)));
        liar.add(Rule::every("sync.getRepoStatus", json(status.to_string())));
        liar.add(Rule::every("sync.getRepo", Lie::answer(200, CAR_TYPE, &[], self.car())));
        let this = self.clone();
        let blocks = move |path: &str| this.answer_blocks(path);
        liar.add(Rule::every("sync.getBlocks", Lie::Respond(Arc::new(blocks))));
    }

    /// Answers with the blocks whose CIDs a query has.
    fn answer_blocks(&self, path: &str) -> Canned {
        let all = [std::slice::from_ref(&self.commit), &self.others].concat();
        let is_asked = |block: &Block| path.contains(&block.cid().to_string());
        let asked: Vec<Block> = all.into_iter().filter(is_asked).collect();
        let headers = vec![("content-type".to_owned(), CAR_TYPE.to_owned())];
        Canned { status: 200, headers, body: car::file(&[], &asked) }
    }

    /// Returns the commit.
    pub fn commit(&self) -> Commit {
        Commit::decode(&self.commit).unwrap()
    }
}

/// Changes a signature of secp256k1 to the other valid one, whose second half is high.
pub fn high_s(signature: &mut [u8; 64]) {
    let mut borrow = 0;
    for (at, order) in ORDER.iter().enumerate().rev() {
        let digit = i16::from(*order) - i16::from(signature[32 + at]) - borrow;
        borrow = i16::from(digit < 0);
        signature[32 + at] = u8::try_from(digit + 256 * borrow).unwrap();
    }
}

/// The order of the group of secp256k1.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// Returns the microseconds since 1970.
pub fn micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_micros()).unwrap()
}

/// The type of a CAR file.
pub const CAR_TYPE: &str = "application/vnd.ipld.car";
