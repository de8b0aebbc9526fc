//! The draft of a spooled batch: its changes and new nodes in temporary files.

use std::sync::Arc;

use crate::commit_base::Base;
use crate::error::{Error, Result};
use crate::model::progress::{Progress, StepKind};
use crate::model::write::WriteOptions;
use crate::new_records::BlobCheck;
use crate::parts::Parts;
use crate::reading::Reading;
use crate::spool::batch_rows::{ChangeRow, WriteRow};
use crate::spool::changes::{ChangeReader, SpooledChanges};
use crate::spool::errors::{garbled, temporary};
use crate::spool::rows::{RowReader, SpooledRows};
use crate::spool::sorter::{Sorted, Sorter};
use crate::unchanged::damaged_blocks;
use pds_core::commit::{Commit, UnsignedCommit};
use pds_core::data::block::Block;
use pds_core::data::cid::{Cid, Codec};
use pds_core::mst::key::Key;
use pds_core::mst::tree::{Tree, get};
use pds_core::syntax::record_path::RecordPath;
use pds_store::error::{BoxError, StoreError};
use pds_store::event::Event;
use pds_store::refs::Expect;

/// The place of a batch: a repository and one of its states.
#[derive(Clone, Copy)]
pub(crate) struct Place<'d> {
    pub(crate) parts: &'d Parts,
    pub(crate) base: &'d Base,
    pub(crate) progress: Progress<'d>,
}

/// The changes of a batch on one base.
pub(crate) struct SpooledDraft<'d> {
    on: Place<'d>,
    pub(crate) changes: SpooledChanges,
    nodes: SpooledRows,
    root: Cid,
}

impl<'d> SpooledDraft<'d> {
    /// Edits the tree of a base in the order of the keys. The error is that of the first write that fails.
    pub(crate) fn new(
        on: Place<'d>,
        writes: &Sorted,
        count: u64,
        options: &WriteOptions,
    ) -> Result<Self> {
        let Place { parts, base, progress } = on;
        let (head, seen) = (&base.commit, base.version);
        parts.check_swap(options, head.cid(), seen)?;
        let reading = Reading::since(parts.store.clone(), seen);
        let mut editing = Editing::new(parts.tree_of(head, &reading));
        let mut rows = writes.merge().map_err(temporary)?;
        while rows.advance().map_err(temporary)? {
            editing.edit(&WriteRow::decode(rows.row()).map_err(temporary)?)?;
            progress.one(StepKind::Records);
        }
        editing.end_record()?;
        if let Some((_, conflict)) = editing.conflict {
            parts.check_present(seen)?;
            return Err(conflict);
        }
        let written = editing.tree.write()?;
        push_nodes(&mut editing.nodes, &written.nodes)?;
        let (rows, drop_undone) = (editing.changes.finish(), editing.records < count);
        let len = editing.records - if drop_undone { editing.undone } else { 0 };
        let changes = SpooledChanges { rows: rows.map_err(temporary)?, len, drop_undone };
        Ok(Self { on, changes, nodes: editing.nodes, root: written.root })
    }

    /// Checks the blobs and the clock, and returns the unsigned commit.
    pub(crate) fn finish(
        &mut self,
        records: &mut SpooledRows,
        options: &WriteOptions,
    ) -> Result<UnsignedCommit> {
        let Place { parts, base, progress } = self.on;
        let head = &base.commit;
        let mut records = Records::new(records)?;
        let mut check = BlobCheck::new(parts.blobs.as_ref(), options.allow_missing_blobs);
        self.changes.each(|change| {
            let Some(record) = records.of(&change)? else { return Ok(()) };
            progress.one(StepKind::Blocks);
            check.record(&record, || change.path())
        })?;
        if !check.is_done() {
            let reading = Arc::new(Reading::since(parts.store.clone(), base.version));
            let old = parts.snapshot_of(head.clone(), reading);
            check.finish(&old, |call| self.changes.each(|change| call(change.before)))?;
        }
        let later_than = head.rev().max(base.key_since);
        if self.root != head.data() {
            parts.check_clock(later_than, base.logged)?;
        }
        let rev = parts.clock.next(later_than).ok_or(Error::RevExhausted(head.cid()))?;
        let (did, prev) = (head.did().clone(), Some(head.cid()));
        Ok(UnsignedCommit { did, data: self.root, rev, prev })
    }

    /// Signs and stores the commit. Without changes, it returns the present one.
    pub(crate) fn store(
        &mut self,
        commit: UnsignedCommit,
        records: &mut SpooledRows,
        options: &WriteOptions,
    ) -> Result<Commit> {
        let Place { parts, base, .. } = self.on;
        let signer = parts.signer_of(base)?;
        if self.root == base.commit.data() {
            self.check_unchanged(records)?;
            return Ok(base.commit.clone());
        }
        let commit = commit.sign(signer.as_ref())?;
        let blocks = self.blocks(records)?;
        let expect = Expect::Exactly(base.commit.cid());
        let change = parts.change_with(&commit, blocks, expect, Event::Write);
        let change = change.message(options.message.clone());
        let applied = parts.store.apply(change.unless_changed_since(base.version))?;
        parts.keep_written(base, &commit, applied.version);
        Ok(commit)
    }

    /// Reads the new records in the order of the writes, then the new nodes.
    fn blocks<'a>(&'a mut self, records: &'a mut SpooledRows) -> Result<SpooledBlocks<'a>> {
        Ok(SpooledBlocks {
            changes: self.changes.reader()?,
            records: Records::new(records)?,
            nodes: self.nodes.reader().map_err(temporary)?,
            node: Vec::new(),
            progress: self.on.progress,
        })
    }

    /// Checks that the content of a draft without changes is stored and readable.
    fn check_unchanged(&mut self, records: &mut SpooledRows) -> Result<()> {
        let (Place { parts, base, progress }, root) = (self.on, self.root);
        let (view, blocks) = (parts.unchanged_since(base.version)?, self.blocks(records)?);
        let blocks = blocks.map(|block| Ok(block.map_err(StoreError::Blocks)?));
        let damaged = damaged_blocks(view.as_ref(), blocks, &base.commit)?;
        self.changes.each(|change| {
            progress.one(StepKind::Records);
            Ok(get(view.as_ref(), root, change.key).map(drop)?)
        })?;
        drop(view);
        parts.heal(&damaged)
    }
}

/// The edits of a tree in the order of its keys.
struct Editing<'t> {
    tree: Tree<'t>,
    nodes: SpooledRows,
    changes: Sorter,
    /// The record whose writes are being made.
    key: Vec<u8>,
    change: Option<Change>,
    /// The number of records that were written, and of those that were created and deleted.
    records: u64,
    undone: u64,
    /// The first write that does not find what it expects, by the order of the writes.
    conflict: Option<(u64, Error)>,
    unsettled: usize,
}

/// The change of the record whose writes are being made.
struct Change {
    number: u64,
    before: Option<Cid>,
    after: Option<(Cid, u64)>,
}

impl<'t> Editing<'t> {
    fn new(tree: Tree<'t>) -> Self {
        Self {
            tree,
            nodes: SpooledRows::default(),
            changes: Sorter::default(),
            key: Vec::new(),
            change: None,
            records: 0,
            undone: 0,
            conflict: None,
            unsettled: 0,
        }
    }

    fn edit(&mut self, write: &WriteRow<'_>) -> Result<()> {
        if self.key != write.key {
            self.end_record()?;
            self.key.clear();
            self.key.extend_from_slice(write.key);
        }
        let WriteRow { number, expect: expected, record, .. } = *write;
        let found = match record {
            Some((cid, _)) => self.tree.insert(Key::new(write.key)?, cid)?,
            None => self.tree.remove(write.key)?,
        };
        if !expected.holds(found) && self.conflict.as_ref().is_none_or(|(first, _)| number < *first)
        {
            let path = RecordPath::from_bytes(write.key).map_err(|_| temporary(garbled()))?;
            self.conflict = Some((number, Error::Conflict { path, expected, found }));
        }
        match &mut self.change {
            Some(change) => change.after = record,
            None => self.change = Some(Change { number, before: found, after: record }),
        }
        Ok(())
    }

    /// Ends the writes of one record. The next write has a later key.
    fn end_record(&mut self) -> Result<()> {
        let Some(Change { number, before, after }) = self.change.take() else { return Ok(()) };
        let row = ChangeRow { number, before, after, key: &self.key };
        self.records += 1;
        self.undone += u64::from(row.is_undone());
        self.changes.push(&row.encode()).map_err(temporary)?;
        self.unsettled += 1;
        if self.unsettled >= SETTLE_AFTER {
            self.unsettled = 0;
            let nodes = self.tree.settle(&Key::new(self.key.as_slice())?);
            push_nodes(&mut self.nodes, &nodes)?;
        }
        Ok(())
    }
}

fn push_nodes(nodes: &mut SpooledRows, new: &[Block]) -> Result<()> {
    new.iter().try_for_each(|node| nodes.push(node.bytes()).map(drop)).map_err(temporary)
}

/// The records of a batch.
struct Records<'r> {
    rows: RowReader<'r>,
    bytes: Vec<u8>,
}

impl<'r> Records<'r> {
    fn new(rows: &'r mut SpooledRows) -> Result<Self> {
        Ok(Self { rows: rows.reader().map_err(temporary)?, bytes: Vec::new() })
    }

    /// Reads the new record of a change.
    fn of(&mut self, change: &ChangeRow<'_>) -> Result<Option<Block>> {
        let Some((cid, offset)) = change.after else { return Ok(None) };
        self.rows.at(offset, &mut self.bytes).map_err(temporary)?;
        Block::verified(cid, &self.bytes).map(Some).map_err(|_| temporary(garbled()))
    }
}

/// The new blocks of a draft.
struct SpooledBlocks<'a> {
    changes: ChangeReader<'a>,
    records: Records<'a>,
    nodes: RowReader<'a>,
    node: Vec<u8>,
    progress: Progress<'a>,
}

impl SpooledBlocks<'_> {
    fn read(&mut self) -> Result<Option<Block>> {
        while let Some(change) = self.changes.next()? {
            if let Some(record) = self.records.of(&change)? {
                return Ok(Some(record));
            }
        }
        let has_node = self.nodes.next(&mut self.node).map_err(temporary)?;
        Ok(has_node.then(|| Block::new(Codec::Cbor, &self.node)))
    }
}

impl Iterator for SpooledBlocks<'_> {
    type Item = Result<Block, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read().map_err(BoxError::from).transpose();
        self.progress.one(StepKind::Blocks);
        read
    }
}

/// The number of records after which finished nodes leave the memory.
const SETTLE_AFTER: usize = 256;
