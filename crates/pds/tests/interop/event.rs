//! Commit events of the event stream, read with the functions of the library.

use pds::commit::Commit;
use pds::crypto::PublicKey;
use pds::data::{Blocks, Cid, Value, check_record};
use pds::mst::{self, Key, MstError, Tree};
use pds::syntax::RecordPath;
use pds::{Expected, Finding, SignatureState, Stage};
use serde_json::Value as Json;

use super::support::{Car, open, verify};

/// The body of a `#commit` or `#sync` message.
pub(crate) struct Event {
    pub(crate) body: Value,
    pub(crate) slice: Car,
    pub(crate) commit: Commit,
    pub(crate) ops: Vec<Op>,
}

/// The result of an operation on one record.
pub(crate) struct Op {
    pub(crate) action: String,
    pub(crate) path: RecordPath,
    pub(crate) cid: Option<Cid>,
    pub(crate) prev: Option<Cid>,
}

impl Event {
    pub(crate) fn read(body: Value) -> Self {
        let slice = open(bytes(&body, "blocks")).unwrap();
        let root = slice.roots()[0];
        let commit = Commit::decode(&slice.get(&root).unwrap().unwrap()).unwrap();
        let ops = match body.get("ops") {
            Some(Value::List(ops)) => ops.iter().map(Op::read).collect(),
            None => Vec::new(),
            other => panic!("{other:?}"),
        };
        Self { body, slice, commit, ops }
    }

    pub(crate) fn slice_bytes(&self) -> &[u8] {
        bytes(&self.body, "blocks")
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        text(&self.body, field)
    }

    /// Returns whether the slice is a valid part of a repository, signed with this key.
    pub(crate) fn verifies(&self, key: &PublicKey) -> bool {
        let did = self.commit.did().clone();
        let expected = Expected::default().did(Some(&did)).key(Some(key)).partial(true);
        let (report, findings) = verify(self.slice_bytes(), &expected);
        let only_missing = |found: &Finding| found.stage() == Stage::Completeness;
        report.is_ok()
            && report.signature == SignatureState::Valid
            && findings.iter().all(only_missing)
    }

    /// Checks that the slice proves the operations and contains the new records.
    pub(crate) fn ops_hold(&self) {
        for op in &self.ops {
            let key = op.path.to_string();
            let found = mst::get(&self.slice, self.commit.data(), key.as_bytes()).unwrap();
            assert_eq!(found, op.cid, "{} {key}", op.action);
            assert_eq!(op.cid.is_none(), op.action == "delete", "{key}");
            if let Some(cid) = op.cid {
                let record = self.slice.get(&cid).unwrap().expect("the record is in the slice");
                let value = Value::decode(record.bytes()).unwrap();
                check_record(record.bytes()).unwrap();
                assert_eq!(text(&value, "$type"), op.path.collection.as_str(), "{key}");
            }
        }
    }

    /// Returns the record at a path as JSON, read from the slice.
    pub(crate) fn record_json(&self, path: &str) -> Option<Json> {
        let cid = mst::get(&self.slice, self.commit.data(), path.as_bytes()).unwrap()?;
        let record = self.slice.get(&cid).unwrap()?;
        let json = Value::decode(record.bytes()).unwrap().to_json();
        Some(serde_json::from_str(&json).unwrap())
    }

    /// Reverts the operations on the tree of the slice, and returns the root before them.
    pub(crate) fn inverted(&self) -> Result<Cid, MstError> {
        let mut tree = Tree::open(&self.slice, self.commit.data());
        for op in &self.ops {
            let key = Key::new(op.path.to_string().into_bytes())?;
            let undone = match (op.action.as_str(), op.prev) {
                ("create", None) => tree.remove(key.as_bytes())?,
                ("update" | "delete", Some(prev)) => tree.insert(key, prev)?,
                (action, prev) => panic!("{action} with {prev:?}"),
            };
            assert_eq!(undone, op.cid, "what was undone is what was done");
        }
        Ok(tree.write()?.root)
    }
}

impl Op {
    fn read(op: &Value) -> Self {
        Self {
            action: text(op, "action").to_owned(),
            path: text(op, "path").parse().unwrap(),
            cid: link(op, "cid"),
            prev: link(op, "prev"),
        }
    }
}

pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    let text = value.get(field).and_then(Value::as_text);
    text.unwrap_or_else(|| panic!("{field} in {}", value.to_json()))
}

pub(crate) fn bytes<'v>(value: &'v Value, field: &str) -> &'v [u8] {
    match value.get(field) {
        Some(Value::Bytes(bytes)) => bytes,
        _ => panic!("{field} in {}", value.to_json()),
    }
}

/// Returns a link, or `None` if it is null or absent.
pub(crate) fn link(value: &Value, field: &str) -> Option<Cid> {
    match value.get(field) {
        Some(Value::Link(cid)) => Some(*cid),
        None | Some(Value::Null) => None,
        Some(other) => panic!("{field}: {}", other.to_json()),
    }
}
