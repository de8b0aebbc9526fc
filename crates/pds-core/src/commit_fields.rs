//! The fields of a commit: their types, and their rules.

use crate::crypto::signature::Signature;
use crate::data::cid::{Cid, Codec};
use crate::data::value::{Map, Value};
use crate::syntax::did::Did;
use crate::syntax::tid::Tid;

/// A malformed field of a commit whose tree can be read all the same.
///
/// ```
/// use pds::commit::Commit;
/// use pds::data::{Block, Cid, Codec, Value};
///
/// let fields = Value::from([
///     ("did", Value::from("did:web:example.com")),
///     ("rev", Value::from("not a rev")),
///     ("sig", Value::from(&[1; 64][..])),
///     ("data", Value::Link(Cid::of(Codec::Cbor, &pds::mst::EMPTY_NODE))),
///     ("prev", Value::Null),
///     ("version", Value::from(3)),
/// ]);
/// let block = Block::new(Codec::Cbor, fields.encode());
/// assert!(Commit::decode(&block).is_err());
/// let commit = Commit::decode_with_faults(&block)?;
/// assert_eq!(commit.faults().len(), 1);
/// assert_eq!(commit.faults()[0].field, "rev");
/// # Ok::<(), pds::commit::CommitError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FieldFault {
    /// The field.
    pub field: &'static str,
    /// The broken rule.
    pub reason: &'static str,
}

/// A field, or the rule that it breaks.
pub(super) type Field<T> = Result<T, &'static str>;

pub(super) trait OrFault<T> {
    /// Returns the field, or notes that it is malformed.
    fn or_fault(self, faults: &mut Vec<FieldFault>, field: &'static str) -> Option<T>;
}

impl<T> OrFault<T> for Field<T> {
    fn or_fault(self, faults: &mut Vec<FieldFault>, field: &'static str) -> Option<T> {
        self.map_err(|reason| faults.push(FieldFault { field, reason })).ok()
    }
}

pub(super) fn version(fields: &Map) -> Field<u8> {
    match fields.get("version") {
        Some(Value::Int(3)) => Ok(3),
        Some(Value::Int(2)) => Ok(2),
        Some(Value::Int(_)) => Err("neither 3 nor 2"),
        Some(_) => Err("not a number"),
        None => Err("missing"),
    }
}

pub(super) fn did(fields: &Map) -> Field<Did> {
    let did = text(fields, "did")?.ok_or("missing")?;
    did.parse().map_err(|_| "not a DID")
}

pub(super) fn data(fields: &Map) -> Field<Cid> {
    match fields.get("data") {
        Some(Value::Link(cid)) if cid.codec() == Codec::Cbor => Ok(*cid),
        Some(Value::Link(_)) => Err("a link to raw bytes, not to a tree"),
        Some(_) => Err("not a link"),
        None => Err("missing"),
    }
}

pub(super) fn rev(fields: &Map, version: u8) -> Field<Option<Tid>> {
    match text(fields, "rev")? {
        Some(rev) => rev.parse().map(Some).map_err(|_| "not a TID"),
        None if version == 2 => Ok(None),
        None => Err("missing"),
    }
}

pub(super) fn prev(fields: &Map) -> Field<Option<Cid>> {
    match fields.get("prev") {
        Some(Value::Link(cid)) if cid.codec() == Codec::Cbor => Ok(Some(*cid)),
        Some(Value::Null) | None => Ok(None),
        Some(_) => Err("neither null nor a link to a commit"),
    }
}

pub(super) fn signature(fields: &Map) -> Field<Signature> {
    match fields.get("sig") {
        Some(Value::Bytes(bytes)) => Signature::from_bytes(bytes).map_err(|_| "not 64 bytes"),
        Some(_) => Err("not bytes"),
        None => Err("missing"),
    }
}

fn text<'m>(fields: &'m Map, field: &'static str) -> Field<Option<&'m str>> {
    match fields.get(field) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err("not text"),
    }
}
