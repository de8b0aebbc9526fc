//! Events of our own, made from commits.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::car::write::CarWriter;
use crate::commit::Commit;
use crate::data::block::{Block, Blocks, ReadError, get_all, one_by_one};
use crate::data::cid::Cid;
use crate::data::limits::{
    MAX_EVENT_BLOCKS_BYTES, MAX_EVENT_OPS, MAX_SYNC_BLOCKS_BYTES, MAX_WRITTEN_RECORD_BYTES,
};
use crate::mst::diff::{Change, diff_across};
use crate::sync::check::at_most;
use crate::sync::error::BuildError;
use crate::sync::event::{Action, CommitEvent, RecordOp, SyncEvent};
use crate::sync::invert::invert;
use crate::syntax::datetime::Datetime;
use crate::syntax::record_path::RecordPath;
use crate::syntax::tid::Tid;

/// A commit, and the blocks of its repository.
#[derive(Clone, Copy)]
pub struct State<'s> {
    /// The commit.
    pub commit: &'s Commit,
    /// The blocks of its tree and its records.
    pub blocks: &'s dyn Blocks,
}

impl std::fmt::Debug for State<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("commit", self.commit).finish_non_exhaustive()
    }
}

/// Makes the event of a commit: its changes since the commit before it, with all blocks that prove them. `before` is
/// `None` for the first commit of an account.
///
/// The blocks are the commit, the root node, the nodes that are new, the nodes that the inversion reads, and each
/// record that was created or updated. Only the nodes that differ are read.
///
/// # Errors
///
/// [`BuildError::OverLimit`] if the changes are too many or too large for an event. The event of such a commit is that
/// of [`build_sync`]. [`BuildError`] also if the commits do not follow each other, or if a block is missing.
pub fn build_commit(
    before: Option<State<'_>>,
    after: State<'_>,
    seq: u64,
    time: &Datetime,
) -> Result<CommitEvent, BuildError> {
    let State { commit, blocks } = after;
    let rev = commit.rev().ok_or(BuildError::NoRev)?;
    let since = before.map(|before| since(before.commit, commit, rev)).transpose()?;
    let prev_data = before.map(|before| before.commit.data());
    let mut diff = diff_across(
        (before.map_or(blocks, |before| before.blocks), prev_data),
        (blocks, Some(commit.data())),
    );
    let mut ops = Vec::new();
    for change in &mut diff {
        ops.push(operation(&change?)?);
        at_most("operations", ops.len(), MAX_EVENT_OPS)?;
    }
    let created = diff.into_nodes()?.created;
    let read = Recorder { blocks, read: Mutex::default() };
    invert(&read, commit.data(), &ops)?;
    let read = read.read.into_inner().unwrap_or_default();

    let mut slice = SliceWriter::new(commit, MAX_EVENT_BLOCKS_BYTES)?;
    let nodes: Vec<Cid> = [commit.data()].into_iter().chain(created).collect();
    for (cid, found) in nodes.iter().zip(get_all(blocks, &nodes)) {
        slice.add(&found?.ok_or(BuildError::Missing { cid: *cid })?)?;
    }
    for node in &read {
        slice.add(node)?;
    }
    let records: Vec<Cid> = ops.iter().filter_map(|op| op.cid).collect();
    for (cid, found) in records.iter().zip(get_all(blocks, &records)) {
        let record = found?.ok_or(BuildError::Missing { cid: *cid })?;
        at_most("bytes of a record", record.bytes().len(), MAX_WRITTEN_RECORD_BYTES)?;
        slice.add(&record)?;
    }
    let (repo, time) = (commit.did().clone(), time.to_string());
    let (commit, blocks) = (commit.cid(), slice.finish()?);
    Ok(CommitEvent { seq, repo, rev, since, commit, prev_data, ops, blocks, time })
}

/// Makes the event of a state without its changes: the commit alone.
///
/// # Errors
///
/// [`BuildError::NoRev`] for a commit of version 2, and [`BuildError::OverLimit`] for one with large unknown fields.
pub fn build_sync(commit: &Commit, seq: u64, time: &Datetime) -> Result<SyncEvent, BuildError> {
    let rev = commit.rev().ok_or(BuildError::NoRev)?;
    let blocks = SliceWriter::new(commit, MAX_SYNC_BLOCKS_BYTES)?.finish()?;
    Ok(SyncEvent { seq, did: commit.did().clone(), rev, blocks, time: time.to_string() })
}

/// Returns the rev of the commit before, if the commit follows it.
fn since(before: &Commit, commit: &Commit, rev: Tid) -> Result<Tid, BuildError> {
    let since = before.rev().ok_or(BuildError::NoRev)?;
    if before.did() != commit.did() {
        return Err(BuildError::NotASuccessor { reason: "it belongs to another account" });
    }
    if since >= rev {
        return Err(BuildError::NotASuccessor { reason: "its rev is not later" });
    }
    Ok(since)
}

fn operation(change: &Change) -> Result<RecordOp, BuildError> {
    let path = RecordPath::from_bytes(change.key.as_bytes());
    let path = path.map_err(|_| BuildError::Path { key: change.key.to_string() })?;
    let action = match (change.before, change.after) {
        (None, _) => Action::Create,
        (Some(_), Some(_)) => Action::Update,
        (Some(_), None) => Action::Delete,
    };
    Ok(RecordOp { action, path, cid: change.after, prev: change.before })
}

/// The CAR file of an event. It has each block once.
struct SliceWriter {
    car: CarWriter<Vec<u8>>,
    has: HashSet<Cid>,
    limit: usize,
}

impl SliceWriter {
    fn new(commit: &Commit, limit: usize) -> Result<Self, BuildError> {
        let car = CarWriter::new(Vec::new(), &[commit.cid()])?;
        let mut slice = Self { car, has: HashSet::new(), limit };
        slice.add(commit.block())?;
        Ok(slice)
    }

    fn add(&mut self, block: &Block) -> Result<(), BuildError> {
        if self.has.insert(block.cid()) {
            self.car.block(block.borrowed())?;
        }
        let bytes = usize::try_from(self.car.bytes()).unwrap_or(usize::MAX);
        Ok(at_most("bytes of blocks", bytes, self.limit)?)
    }

    fn finish(self) -> Result<Vec<u8>, BuildError> {
        Ok(self.car.finish()?)
    }
}

/// Blocks that remember what was read.
struct Recorder<'b> {
    blocks: &'b dyn Blocks,
    read: Mutex<Vec<Block>>,
}

impl Blocks for Recorder<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let found = self.blocks.get(cid)?;
        if let Ok(mut read) = self.read.lock() {
            read.extend(found.clone());
        }
        Ok(found)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        one_by_one(self, cids)
    }
}
