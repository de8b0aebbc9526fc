//! The records of a write: their encoding, their rules, and the blobs that they refer to.

use std::collections::{BTreeSet, HashMap, HashSet};

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
use pds_store::blob::store::BlobStore;

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

    /// Checks the blobs that the new records of a write refer to; see [`BlobCheck`].
    pub(crate) fn check_blobs(
        &self,
        changes: &[RecordChange],
        records: &[Block],
        old: &dyn Fn() -> Snapshot,
        allow_missing: bool,
    ) -> Result<()> {
        let records: HashMap<Cid, &Block> = records.iter().map(|it| (it.cid(), it)).collect();
        let mut check = BlobCheck::new(self.blobs.as_ref(), allow_missing);
        for RecordChange { path, after, .. } in changes {
            if let Some(record) = after.and_then(|after| records.get(&after)) {
                check.record(record, || Ok(path.clone()))?;
            }
        }
        if check.is_done() {
            return Ok(());
        }
        check.finish(&old(), |call| changes.iter().try_for_each(|change| call(change.before)))
    }
}

/// The check of the blobs that new records refer to: each is stored and has the size that the record gives.
///
/// A backup may lack its blobs. So no blob is required that a record of the state before the write refers to. The
/// replaced records are compared first. All of that state is read only if a blob is missing.
pub(crate) struct BlobCheck<'b> {
    blobs: &'b dyn BlobStore,
    allow_missing: bool,
    missing: Vec<(RecordPath, Cid)>,
    wrong: Vec<(RecordPath, BlobRef, u64)>,
}

impl<'b> BlobCheck<'b> {
    pub(crate) fn new(blobs: &'b dyn BlobStore, allow_missing: bool) -> Self {
        Self { blobs, allow_missing, missing: Vec::new(), wrong: Vec::new() }
    }

    /// Looks for the blobs of a new record.
    pub(crate) fn record(
        &mut self,
        record: &Block,
        path: impl Fn() -> Result<RecordPath>,
    ) -> Result<()> {
        for blob in blobs_of(record) {
            // A renewed blob is young again, so `gc` does not delete it before the record is stored.
            let stored = self.blobs.renew(&blob.cid)?.map(|info| info.size_bytes);
            match (stored, blob.size_bytes) {
                (None, _) if self.allow_missing => {}
                (None, _) => self.missing.push((path()?, blob.cid)),
                (Some(stored), Some(size)) if stored != size => {
                    self.wrong.push((path()?, blob, stored));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns whether every blob is stored with the right size.
    pub(crate) fn is_done(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty()
    }

    /// Fails if a blob is missing or has a wrong size, unless the state before the write has the same reference.
    /// `replaced` calls its argument with each record that is replaced or deleted.
    pub(crate) fn finish(
        mut self,
        old: &Snapshot,
        replaced: impl FnOnce(&mut dyn FnMut(Option<Cid>) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let mut absent: BTreeSet<Cid> = self.missing.iter().map(|(_, cid)| *cid).collect();
        let mut wrong: HashSet<BlobRef> =
            self.wrong.iter().map(|(_, blob, _)| blob.clone()).collect();
        replaced(&mut |before| {
            if let Some(before) = before {
                for blob in blobs_before(before, old)? {
                    absent.remove(&blob.cid);
                    wrong.remove(&blob);
                }
            }
            Ok(())
        })?;
        self.wrong.retain(|(_, blob, _)| wrong.contains(blob));
        if let Some((path, blob, stored)) = self.wrong.into_iter().next() {
            let BlobRef { cid, size_bytes, .. } = blob;
            return Err(Error::BlobSize {
                path,
                cid,
                size: size_bytes.unwrap_or_default(),
                stored,
            });
        }
        let absent = not_referred_to(absent, old)?;
        match self.missing.into_iter().find(|(_, cid)| absent.contains(cid)) {
            Some((path, cid)) => Err(Error::BlobMissing { path, cid }),
            None => Ok(()),
        }
    }
}

/// Returns the references of a record. The shape of a map alone marks a legacy reference.
fn blobs_of(record: &Block) -> Vec<BlobRef> {
    blobs_in(record.bytes()).unwrap_or_default()
}

/// Returns the references of a record that a write replaces or deletes. An unreadable record has none.
fn blobs_before(before: Cid, old: &Snapshot) -> Result<Vec<BlobRef>> {
    match old.blocks().get(&before) {
        Ok(record) => Ok(record.iter().flat_map(blobs_of).collect()),
        Err(ReadError::Damaged { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
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
