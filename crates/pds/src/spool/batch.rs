//! Batches of any number of writes, in bounded memory.
//!
//! Each record is encoded when its write is added, and its bytes go to a temporary file. The writes are sorted by key
//! and by their order. Then the tree is edited in the order of its keys, so that finished nodes leave the memory. A
//! second sort restores the order of the writes for the store and for the caller.

use crate::commit_base::Base;
use crate::error::{Error, Result};
use crate::model::progress::Progress;
use crate::model::write::{RecordChange, Target, Write, WriteOptions};
use crate::parts::Parts;
use crate::spool::batch_rows::WriteRow;
use crate::spool::changes::SpooledChanges;
use crate::spool::draft::{Place, SpooledDraft};
use crate::spool::errors::temporary;
use crate::spool::rows::SpooledRows;
use crate::spool::sorter::Sorter;
use pds_core::commit::Commit;
use pds_core::syntax::record_path::RecordPath;
use std::fmt;

/// A batch of any number of writes, which become one commit.
///
/// It has the meaning of a [`Batch`](crate::Batch) of the same writes. But it holds them in a temporary file, so its
/// memory does not grow with their number. A small batch stays in memory.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::{SpooledBatch, Value, Write, WriteOptions};
///
/// let mut batch = SpooledBatch::on(&repo)?;
/// for n in 0..1_000 {
///     let path = format!("com.example.note/{n}").parse()?;
///     batch.push(&Write::create(path, Value::from([("n", n.into())])))?;
/// }
/// let written = batch.commit(&WriteOptions::default())?;
/// assert_eq!((written.len(), repo.head()?), (1_000, Some(written.commit.cid())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SpooledBatch<'r> {
    parts: &'r Parts,
    progress: Progress<'r>,
    /// The state at the start. Generated record keys are later than its rev.
    base: Base,
    records: SpooledRows,
    writes: Sorter,
    count: u64,
    /// The error of the first invalid write. It is reported after the conflicts of earlier writes.
    refused: Option<Error>,
}

impl fmt::Debug for SpooledBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpooledBatch").field("len", &self.count).finish_non_exhaustive()
    }
}

impl<'r> SpooledBatch<'r> {
    pub(crate) fn new(parts: &'r Parts) -> Result<Self> {
        let base = parts.base()?;
        let (records, writes) = (SpooledRows::default(), Sorter::default());
        let (progress, count, refused) = (Progress::default(), 0, None);
        Ok(Self { parts, progress, base, records, writes, count, refused })
    }

    /// Returns the same batch. Its commit calls a function for each write that is made in the tree, as a record, and
    /// then for each block that is stored.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress<'r>) -> Self {
        self.progress = progress;
        self
    }

    /// Returns the number of writes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Returns whether the batch has no writes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a write. [`commit`](Self::commit) reports an invalid one, because an earlier write may fail, too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the temporary file cannot be written.
    pub fn push(&mut self, write: &Write) -> Result<()> {
        if self.refused.is_none() {
            match self.encode(write) {
                Err(error @ Error::Io { .. }) => return Err(error),
                encoded => self.refused = encoded.err(),
            }
        }
        self.count += 1;
        Ok(())
    }

    fn encode(&mut self, write: &Write) -> Result<()> {
        let path = match &write.target {
            Target::Path(path) => path.clone(),
            Target::Collection(collection) => {
                let (head, logged) = (&self.base.commit, self.base.logged);
                let later_than = head.rev().max(self.base.key_since);
                let rkey = self.parts.next_rev(later_than, logged, head.cid())?.into();
                RecordPath::new(collection.clone(), rkey)
            }
        };
        let record = write.body.as_ref().map(|body| Parts::record(&path, body)).transpose()?;
        let record = match record {
            Some(block) => {
                let offset = self.records.push(block.bytes()).map_err(temporary)?;
                Some((block.cid(), offset))
            }
            None => None,
        };
        let (number, expect) = (self.count, write.expect);
        let row = WriteRow { key: &path.to_key(), number, expect, record }.encode();
        self.writes.push(&row).map_err(temporary)
    }

    /// Makes all writes in one signed commit, or none.
    ///
    /// # Errors
    ///
    /// As [`Repo::write`](crate::Repo::write); [`Error::Io`] if a temporary file cannot be read or written.
    pub fn commit(self, options: &WriteOptions) -> Result<SpooledWritten> {
        let Self { parts, progress, mut records, writes, count, mut refused, .. } = self;
        let writes = writes.finish().map_err(temporary)?;
        let attempt = || {
            let base = parts.base()?;
            let on = Place { parts, base: &base, progress };
            let mut draft = SpooledDraft::new(on, &writes, count, options)?;
            // No earlier write has failed.
            if let Some(error) = refused.take() {
                return Err(error);
            }
            let commit = draft.finish(&mut records, options)?;
            let commit = draft.store(commit, &mut records, options)?;
            Ok(SpooledWritten { commit, changes: draft.changes })
        };
        match options.swap_commit {
            Some(_) => parts.until_unchanged(attempt),
            None => parts.until_first(attempt),
        }
    }
}

/// The result of [`SpooledBatch::commit`].
pub struct SpooledWritten {
    /// The new commit, or the present one if nothing changed.
    pub commit: Commit,
    changes: SpooledChanges,
}

impl fmt::Debug for SpooledWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpooledWritten").field("commit", &self.commit).finish_non_exhaustive()
    }
}

impl SpooledWritten {
    /// Returns the number of changed records.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.changes.len
    }

    /// Returns whether no record was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.len == 0
    }

    /// Reads the changes of the records, in the order of their first writes. An item is [`Error::Io`] if the temporary
    /// file cannot be read.
    pub fn changes(&self) -> impl Iterator<Item = Result<RecordChange>> + '_ {
        let mut reader = Some(self.changes.reader());
        std::iter::from_fn(move || match reader.as_mut()? {
            Ok(rows) => {
                rows.next().and_then(|row| row.map(|row| row.to_change()).transpose()).transpose()
            }
            Err(_) => reader.take()?.err().map(Err),
        })
    }
}
