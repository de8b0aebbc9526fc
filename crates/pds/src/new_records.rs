//! The records of a write: their encoding, their rules, and the blobs that they refer to.

use std::collections::{BTreeSet, HashMap};

use crate::error::{Error, Result};
use crate::model::write::{Body, RecordChange};
use crate::parts::Parts;
use crate::snapshot::Snapshot;
use pds_core::data::blob_ref::BlobRef;
use pds_core::data::block::{Block, ReadError};
use pds_core::data::cid::{Cid, Codec};
use pds_core::data::error::DataError;
use pds_core::data::limits::{MAX_NESTING, MAX_WRITTEN_RECORD_BYTES};
use pds_core::data::record_check::{blobs_in, check_record};
use pds_core::data::value::Value;
use pds_core::syntax::record_path::RecordPath;

impl Parts {
    /// Encodes a record as a block, and checks that it is valid. [`check_blobs`](Self::check_blobs) checks its blobs.
    pub(crate) fn record(path: &RecordPath, body: &Body) -> Result<Block> {
        let refused = |source| Error::Record { path: path.clone(), source };
        let rule = |reason| refused(DataError::Model { place: "/".to_owned(), reason });
        if !path.collection.is_normalized() {
            return Err(rule("the authority of the collection is not in lower case"));
        }
        let bytes = match body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Value(value) => {
                value.check().map_err(refused)?;
                match value {
                    Value::Map(map) if map.get("$type").is_none() => {
                        let mut map = map.clone();
                        map.insert("$type", path.collection.as_str());
                        Value::Map(map).encode()
                    }
                    value => value.encode(),
                }
            }
        };
        if bytes.len() > MAX_WRITTEN_RECORD_BYTES {
            let limit = MAX_WRITTEN_RECORD_BYTES;
            return Err(refused(DataError::TooLarge { bytes: bytes.len(), limit }));
        }
        let facts = check_record(&bytes).map_err(refused)?;
        if facts.nesting > MAX_NESTING {
            return Err(rule("nested deeper than the limit for new records"));
        }
        match facts.record_type {
            Some(kind) if kind == path.collection.as_str() => {}
            Some(_) => return Err(rule("the $type is not the collection")),
            None => return Err(rule("the $type is missing")),
        }
        Ok(Block::new(Codec::Cbor, bytes))
    }

    /// Checks the blobs that new records refer to: each is stored and has the size that the record gives.
    ///
    /// A backup may lack its blobs. So no blob is required that a record of `old`, the state before the write, refers
    /// to. The replaced records are compared first. All of `old` is read only if a blob is missing.
    pub(crate) fn check_blobs(
        &self,
        changes: &[RecordChange],
        records: &[Block],
        old: &dyn Fn() -> Snapshot,
        allow_missing: bool,
    ) -> Result<()> {
        let records: HashMap<Cid, &Block> = records.iter().map(|it| (it.cid(), it)).collect();
        let (mut missing, mut wrong) = (Vec::new(), Vec::new());
        for RecordChange { path, after, .. } in changes {
            let record = after.and_then(|after| records.get(&after));
            for blob in record.into_iter().flat_map(|record| blobs_of(record)) {
                // A renewed blob is young again, so `gc` does not delete it before the record is stored.
                let stored = self.blobs.renew(&blob.cid)?.map(|info| info.size_bytes);
                match (stored, blob.size_bytes) {
                    (None, _) if allow_missing => {}
                    (None, _) => missing.push((path, blob.cid)),
                    (Some(stored), Some(size)) if stored != size => {
                        wrong.push((path, blob, stored));
                    }
                    _ => {}
                }
            }
        }
        if missing.is_empty() && wrong.is_empty() {
            return Ok(());
        }
        let old = old();
        let known = replaced_blobs(changes, &old)?;
        wrong.retain(|(_, blob, _)| !known.contains(blob));
        if let Some((path, BlobRef { cid, size_bytes, .. }, stored)) = wrong.into_iter().next() {
            let (path, size) = (path.clone(), size_bytes.unwrap_or_default());
            return Err(Error::BlobSize { path, cid, size, stored });
        }
        missing.retain(|(_, cid)| known.iter().all(|blob| blob.cid != *cid));
        let absent: BTreeSet<Cid> = missing.iter().map(|(_, cid)| *cid).collect();
        let absent = not_referred_to(absent, &old)?;
        match missing.into_iter().find(|(_, cid)| absent.contains(cid)) {
            Some((path, cid)) => Err(Error::BlobMissing { path: path.clone(), cid }),
            None => Ok(()),
        }
    }
}

/// Returns the references of a record. The shape of a map alone marks a legacy reference.
fn blobs_of(record: &Block) -> Vec<BlobRef> {
    blobs_in(record.bytes()).unwrap_or_default()
}

/// Returns the references of the records that a write replaces or deletes. Unreadable records have none.
fn replaced_blobs(changes: &[RecordChange], old: &Snapshot) -> Result<Vec<BlobRef>> {
    let mut known = Vec::new();
    for before in changes.iter().filter_map(|change| change.before) {
        match old.blocks().get(&before) {
            Ok(record) => known.extend(record.iter().flat_map(blobs_of)),
            Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(known)
}

/// Returns the blobs that no record of a state refers to.
fn not_referred_to(mut blobs: BTreeSet<Cid>, old: &Snapshot) -> Result<BTreeSet<Cid>> {
    for entry in old.records() {
        if blobs.is_empty() {
            break;
        }
        let entry = match entry {
            Err(error) if error.is_corrupt() => continue,
            entry => entry?,
        };
        match old.blocks().get(&entry.cid) {
            Ok(record) => record.iter().flat_map(blobs_of).for_each(|blob| {
                blobs.remove(&blob.cid);
            }),
            Err(ReadError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(blobs)
}
