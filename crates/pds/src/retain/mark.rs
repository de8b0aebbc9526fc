//! The set of blocks that some commits reach.

use std::collections::HashSet;

use crate::cid_set::CidSet;
use crate::error::{Error, Result};
use crate::spool::errors::{garbled, temporary};
use crate::spool::rows::SpooledRows;
use pds_core::commit::Commit;
use pds_core::data::block::{Blocks, ReadError, get_all};
use pds_core::data::cid::Cid;
use pds_core::data::record_check::blobs_in;
use pds_core::mst::error::MstError;
use pds_core::mst::node::{Node, Position};

/// The blocks that some commits reach. A subtree that states share is visited once.
///
/// A block takes at most 16 bytes. The sets have fingerprints of 128 bits. If two blocks had the same fingerprint, the
/// subtree of one of them would be skipped, and later be deleted. See [`CidSet`] for the probability.
pub(crate) struct Marked {
    commits: CidSet,
    /// Separate from the records, because a hostile tree may name a node as a record.
    nodes: CidSet,
    records: CidSet,
    /// Records that have not been searched for blobs yet, and whether they may be missing. `None` if no blob is stored.
    unread: Option<SpooledRows>,
    /// Blocks that may be missing in the following marks.
    holes: HashSet<Cid>,
    /// The blocks of `holes` that were reached.
    met: HashSet<Cid>,
    /// Missing commits and nodes that marking skipped.
    absent: HashSet<Cid>,
}

/// The blobs that records refer to.
#[derive(Default)]
pub(crate) struct BlobsOf {
    pub(crate) cids: HashSet<Cid>,
    /// Records that cannot be decoded. Their references are unknown.
    pub(crate) undecodable: Vec<Cid>,
}

impl Marked {
    /// Makes an empty set. Only a set `for_blobs` can find blobs.
    pub(crate) fn new(for_blobs: bool) -> Self {
        Self {
            commits: CidSet::default(),
            nodes: CidSet::default(),
            records: CidSet::default(),
            unread: for_blobs.then(SpooledRows::default),
            holes: HashSet::new(),
            met: HashSet::new(),
            absent: HashSet::new(),
        }
    }

    /// Returns whether the set can find blobs.
    pub(crate) fn is_for_blobs(&self) -> bool {
        self.unread.is_some()
    }

    /// Returns whether a block was reached.
    pub(crate) fn reaches(&self, cid: &Cid) -> bool {
        self.records.contains(cid) || self.nodes.contains(cid) || self.commits.contains(cid)
    }

    pub(crate) fn has_commit(&self, cid: &Cid) -> bool {
        self.commits.contains(cid)
    }

    /// Allows some blocks to be missing in the following marks. The blocks below them stay
    /// unmarked.
    pub(crate) fn pass_over(&mut self, holes: HashSet<Cid>) {
        self.holes = holes;
    }

    /// Returns the blocks that may be missing and were reached.
    pub(crate) fn holes_met(&self) -> &HashSet<Cid> {
        &self.met
    }

    /// Returns the missing commits and nodes. The blocks below them are not marked.
    pub(crate) fn absent(&self) -> &HashSet<Cid> {
        &self.absent
    }

    /// Returns whether a block may be missing, or of the wrong kind.
    fn passes(&mut self, cid: Cid) -> bool {
        let passes = self.holes.contains(&cid);
        if passes {
            self.met.insert(cid);
        }
        passes
    }

    /// Marks a commit and the blocks that it reaches, except those that `other` reaches.
    pub(crate) fn commit(
        &mut self,
        blocks: &dyn Blocks,
        cid: Cid,
        other: Option<&Self>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        if self.commits.contains(&cid) {
            return Ok(());
        }
        let block = blocks.get(&cid)?;
        let is_absent = block.is_none();
        let commit = match block {
            Some(block) => Commit::decode(&block).map_err(Error::from),
            None => Err(Error::UnknownCommit(cid)),
        };
        match commit {
            Err(_) if self.passes(cid) => self.absent.extend(is_absent.then_some(cid)),
            commit => self.tree(blocks, commit?.data(), other, progress)?,
        }
        self.commits.insert(&cid);
        Ok(())
    }

    /// Marks the blocks of a tree, except those that `other` reaches.
    pub(crate) fn tree(
        &mut self,
        blocks: &dyn Blocks,
        root: Cid,
        other: Option<&Self>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let is_known = |cid: &Cid| other.is_some_and(|other| other.nodes.contains(cid));
        let (many, mut waiting) = (blocks.batch().max(READ_AT_ONCE), vec![(root, Position::Root)]);
        while !waiting.is_empty() {
            let mut batch = waiting.split_off(waiting.len().saturating_sub(many));
            batch.retain(|(cid, _)| !is_known(cid) && self.nodes.insert(cid));
            let cids: Vec<Cid> = batch.iter().map(|(cid, _)| *cid).collect();
            for ((cid, position), block) in batch.into_iter().zip(get_all(blocks, &cids)) {
                let block = block?;
                let is_absent = block.is_none();
                let node = match block {
                    Some(block) => Node::read(cid, block.bytes(), position),
                    None => Err(MstError::Missing { cid }),
                };
                let node = match node {
                    Err(_) if self.passes(cid) => {
                        self.absent.extend(is_absent.then_some(cid));
                        continue;
                    }
                    node => node?,
                };
                for entry in node.entries() {
                    let is_known = other.is_some_and(|other| other.records.contains(&entry.value));
                    if !is_known && self.records.insert(&entry.value) {
                        self.note_record(entry.value)?;
                    }
                }
                if let Some(level) = node.level().checked_sub(1) {
                    let below = Position::Child { level };
                    waiting.extend(node.subtrees().map(|cid| (cid, below)));
                }
            }
            progress(cids.len() as u64);
        }
        Ok(())
    }

    /// Notes a record that is to be searched for blobs.
    fn note_record(&mut self, cid: Cid) -> Result<()> {
        let may_be_missing = self.passes(cid);
        let Some(unread) = &mut self.unread else { return Ok(()) };
        let mut row = [0; Cid::LEN + 1];
        let (name, flag) = row.split_at_mut(Cid::LEN);
        name.copy_from_slice(cid.as_bytes());
        flag.fill(u8::from(may_be_missing));
        unread.push(&row).map(drop).map_err(temporary)
    }

    /// Adds the blobs of the records that were reached since the last call.
    pub(crate) fn find_blobs(
        &mut self,
        blocks: &dyn Blocks,
        found: &mut BlobsOf,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let Some(unread) = &mut self.unread else { return Ok(()) };
        let mut unread = std::mem::take(unread);
        let (mut rows, mut row) = (unread.reader().map_err(temporary)?, Vec::new());
        loop {
            let mut some = Vec::new();
            while some.len() < RECORDS_AT_ONCE && rows.next(&mut row).map_err(temporary)? {
                let (flag, name) = row.split_last().ok_or_else(|| temporary(garbled()))?;
                some.push((Cid::from_bytes(name).map_err(|_| temporary(garbled()))?, *flag != 0));
            }
            if some.is_empty() {
                return Ok(());
            }
            search(&some, blocks, found)?;
            progress(some.len() as u64);
        }
    }
}

/// Adds the blobs of records that may be missing or not.
fn search(records: &[(Cid, bool)], blocks: &dyn Blocks, found: &mut BlobsOf) -> Result<()> {
    let cids: Vec<Cid> = records.iter().map(|(cid, _)| *cid).collect();
    for ((cid, may_be_missing), block) in records.iter().zip(get_all(blocks, &cids)) {
        let blobs = match block {
            Ok(block) => block.and_then(|block| blobs_in(block.bytes()).ok()),
            Err(ReadError::Damaged { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        match blobs {
            Some(blobs) => found.cids.extend(blobs.into_iter().map(|blob| blob.cid)),
            None if *may_be_missing => {}
            None => found.undecodable.push(*cid),
        }
    }
    Ok(())
}

/// The number of nodes that are read together.
const READ_AT_ONCE: usize = 64;

/// The number of records that are searched for blobs together.
const RECORDS_AT_ONCE: usize = 4_096;
