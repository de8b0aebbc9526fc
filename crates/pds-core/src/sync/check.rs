//! The checks of events that have a commit.

use std::collections::HashSet;

use crate::car::read::CarReader;
use crate::commit::Commit;
use crate::crypto::public_key::PublicKey;
use crate::data::block::{Blocks, MemoryBlocks};
use crate::data::cid::{Cid, Codec};
use crate::data::limits::{
    MAX_EVENT_BLOCKS_BYTES, MAX_EVENT_OPS, MAX_RECORD_BYTES, MAX_SYNC_BLOCKS_BYTES,
};
use crate::mst::node::EMPTY_NODE;
use crate::sync::error::{EventFault, OverLimit};
use crate::sync::event::{Action, CommitEvent, RecordOp, SyncEvent};
use crate::sync::invert::{Inverted, invert};
use crate::syntax::did::Did;
use crate::syntax::tid::Tid;

/// A commit event that belongs together: its commit and its blocks.
#[derive(Clone, Debug)]
pub struct CheckedCommit {
    /// The commit.
    pub commit: Commit,
    /// The blocks of the event. They may include some that nothing needs.
    pub blocks: MemoryBlocks,
}

/// Checks a commit event: its limits, its agreement with the signed commit, its operations and their inversion.
///
/// After this check, the operations are exactly the changes from the tree `prevData` to the tree of the commit, and the
/// blocks have every new record. The caller compares `prevData`, `since` and the rev with the state that it has, and
/// checks the records.
///
/// Without a key, the caller verifies the signature of the commit. The first commit of an account has neither `since`
/// nor `prevData`; its operations must start from the empty tree.
///
/// # Errors
///
/// [`EventFault`].
pub fn check_commit(
    event: &CommitEvent,
    key: Option<&PublicKey>,
) -> Result<CheckedCommit, EventFault> {
    at_most("operations", event.ops.len(), MAX_EVENT_OPS)?;
    let slice = Carried::read(&event.blocks, MAX_EVENT_BLOCKS_BYTES)?;
    if slice.commit.cid() != event.commit {
        return Err(EventFault::NoCommit);
    }
    slice.check(&event.repo, event.rev, key)?;
    if event.since.is_some_and(|since| since >= event.rev) {
        return Err(EventFault::Differs { field: "since", reason: "not before the rev" });
    }
    let Carried { commit, blocks } = slice;
    check_ops(&event.ops, &blocks)?;
    let stated = match (event.prev_data, event.since) {
        (Some(prev_data), _) => prev_data,
        (None, None) => Cid::of(Codec::Cbor, &EMPTY_NODE),
        (None, Some(_)) => return Err(EventFault::NoPrevData),
    };
    let Inverted { root: found, wrong } = invert(&blocks, commit.data(), &event.ops)?;
    if let Some(RecordOp { path, .. }) = wrong {
        let reason = "the tree of the commit has another record at this path";
        return Err(EventFault::Operation { path: Box::new(path.clone()), reason });
    }
    if found != stated {
        return Err(EventFault::NotInverted { stated, found });
    }
    Ok(CheckedCommit { commit, blocks })
}

/// Checks a sync event: its limits, and its agreement with the signed commit. Returns the commit.
///
/// Without a key, the caller verifies the signature.
///
/// # Errors
///
/// [`EventFault`].
pub fn check_sync(event: &SyncEvent, key: Option<&PublicKey>) -> Result<Commit, EventFault> {
    let slice = Carried::read(&event.blocks, MAX_SYNC_BLOCKS_BYTES)?;
    slice.check(&event.did, event.rev, key)?;
    Ok(slice.commit)
}

/// The blocks of an event, and the commit among them.
struct Carried {
    commit: Commit,
    blocks: MemoryBlocks,
}

impl Carried {
    fn read(car: &[u8], limit: usize) -> Result<Self, EventFault> {
        at_most("bytes of blocks", car.len(), limit)?;
        let mut reader = CarReader::new(car)?;
        let blocks: MemoryBlocks = reader.by_ref().collect::<Result<_, _>>()?;
        let root = reader.roots().first().ok_or(EventFault::NoCommit)?;
        let block = blocks.get(root).ok().flatten().ok_or(EventFault::NoCommit)?;
        Ok(Self { commit: Commit::decode(&block)?, blocks })
    }

    fn check(&self, did: &Did, rev: Tid, key: Option<&PublicKey>) -> Result<(), EventFault> {
        let differs = |field| EventFault::Differs { field, reason: "not that of the commit" };
        if self.commit.did() != did {
            return Err(differs("did"));
        }
        if self.commit.rev() != Some(rev) {
            return Err(differs("rev"));
        }
        key.map_or(Ok(()), |key| self.commit.verify(key)).map_err(EventFault::Signature)
    }
}

/// Checks that the operations are complete, with distinct paths, and that their new records are there.
fn check_ops(ops: &[RecordOp], blocks: &MemoryBlocks) -> Result<(), EventFault> {
    let mut paths = HashSet::new();
    for op in ops {
        let fault = |reason| EventFault::Operation { path: Box::new(op.path.clone()), reason };
        if !paths.insert(&op.path) {
            return Err(fault("a second operation on this path"));
        }
        match (op.action, op.cid, op.prev) {
            (Action::Update, Some(cid), Some(prev)) if cid == prev => {
                return Err(fault("updated, but with the same record"));
            }
            (Action::Create, Some(_), None)
            | (Action::Update, Some(_), Some(_))
            | (Action::Delete, None, Some(_)) => {}
            (Action::Create, Some(_), Some(_)) => return Err(fault("created, but with a prev")),
            (Action::Delete, Some(_), _) => return Err(fault("deleted, but with a cid")),
            (_, None, _) if op.action != Action::Delete => return Err(fault("no cid")),
            _ => return Err(fault("no prev")),
        }
        let Some(cid) = op.cid else { continue };
        let Ok(Some(record)) = blocks.get(&cid) else {
            return Err(fault("its record is not among the blocks"));
        };
        at_most("bytes of a record", record.bytes().len(), MAX_RECORD_BYTES)?;
    }
    Ok(())
}

pub(crate) fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), OverLimit> {
    if count > limit { Err(OverLimit { what, count, limit }) } else { Ok(()) }
}
