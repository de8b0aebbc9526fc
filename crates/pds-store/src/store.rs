//! Storage of blocks, refs, the log and facts: the seam between repositories and back ends.
//!
//! Vocabulary:
//!
//! - A *ref* is a name that points to a commit.
//! - The *log* has an entry for every move of a ref, with the *event* that moved it.
//! - A *fact* is a typed row about the repository: its account, its keys, known losses.
//! - A *view* is one consistent moment of a store.
//! - A *change* is one step of a store, all or nothing.
//! - A *sweep* is a change that deletes blocks.
//!
//! A store knows bytes, names and facts, but not commits or trees. [`View`] reads, [`Store::apply`]
//! writes, and only [`Store::collect`] deletes. [`Maintain`] has the operations that repairs and
//! the end of a collection need in addition.
//!
//! [`MemoryStore`](crate::memory::MemoryStore) is the readable specification. Every store must pass the suite in
//! `conformance` (feature `testing`).

use std::ops::ControlFlow;

use crate::change::{Applied, BlockStream, Change};
use crate::error::StoreError;
use crate::fact::{Fact, FactKind};
use crate::log::{LogEntry, LogQuery};
use crate::ref_name::RefName;
use crate::refs::Refs;
use crate::sweep::{Sweep, SweptBlocks};
use crate::version::Version;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;

/// One consistent moment of a store.
///
/// Hold a view briefly, for one answer: a back end may be unable to free space while it is open.
/// Dropping the view ends the read. Long work reads the [`Store`] itself as [`Blocks`].
pub trait View: Blocks {
    /// Returns the version of the store at this moment.
    fn version(&self) -> Version;

    /// Reads all refs.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. It is [`StoreError::Damaged`] if a row differs from what was written.
    fn refs(&self) -> Result<Refs, StoreError>;

    /// Reads log entries, in either direction, until `each` returns `Break`. The function may read
    /// the view.
    ///
    /// # Errors
    ///
    /// As [`refs`](Self::refs).
    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Reads the facts of a kind, in no particular order, until `each` returns `Break`. The
    /// function may read the view.
    ///
    /// # Errors
    ///
    /// As [`refs`](Self::refs).
    fn facts(
        &self,
        kind: FactKind,
        each: &mut dyn FnMut(Fact) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;
}

/// A store of blocks, refs, the log and facts.
///
/// As [`Blocks`], each read of a store has its own moment. Every change that [`apply`](Self::apply)
/// has acknowledged survives a crash, if the back end is durable.
pub trait Store: Blocks {
    /// Opens a view of the current moment. Views do not wait for each other.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError>;

    /// Applies a change: blocks, refs and facts, all or nothing. Each edit of a ref appends a log
    /// entry.
    ///
    /// The stream of blocks may read this store. An intact block is kept. If its bytes are damaged,
    /// the new block replaces it.
    ///
    /// # Errors
    ///
    /// If the change fails, nothing is changed.
    ///
    /// - [`StoreError::Moved`] if an expectation does not hold.
    /// - [`StoreError::TargetMissing`] if the target of a ref would be missing.
    /// - [`StoreError::Changed`] if the store has changed or swept since the version that the
    ///   change names.
    /// - [`StoreError::Blocks`] if a stream fails.
    /// - [`StoreError::NoEdits`] if the change is empty.
    /// - [`StoreError::Message`] if the message is not valid.
    fn apply(&self, change: Change<'_>) -> Result<Applied, StoreError>;

    /// Deletes every block that is not live, and edits the log and facts, all or nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Changed`] if the store no longer has the version that was marked, and the sweep
    /// cannot [catch up](Sweep::meet), or if the store has a block that was missing then. Nothing is
    /// changed then.
    fn collect(&self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError>;

    /// Returns the operations that repairs and the end of a collection need. A remote store may not
    /// have them.
    fn maintain(&self) -> Option<&dyn Maintain> {
        None
    }
}

/// The operations of a back end that repairs and the end of a collection need.
pub trait Maintain: Send + Sync {
    /// Checks the form of the stored data, and returns the problems, one sentence each. Blocks are
    /// not hashed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read at all.
    fn check(&self, depth: CheckDepth) -> Result<Vec<String>, StoreError>;

    /// Passes every block to `visit` as it is stored: its name and its bytes, whether or not they
    /// match.
    ///
    /// The order has no meaning. The visitor may read the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if some rows cannot be read. All other rows have been visited then.
    fn scan_raw(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError>;

    /// Drops the damaged blocks with these names, and adds blocks, in one step. Intact blocks are
    /// kept. No ref moves, and the log does not change.
    ///
    /// # Errors
    ///
    /// [`StoreError::Blocks`] if the stream fails. Nothing is changed then.
    fn replace(
        &self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Replaced, StoreError>;

    /// Rewrites the stored data so that no remains of deleted blocks are left in it, and frees the
    /// space. A back end that cannot promise this removes what it can, and returns what is left.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] while another reader is open. Remains may then be left until the next
    /// call.
    fn compact(&self) -> Result<Compacted, StoreError>;

    /// Returns the number of blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn block_count(&self) -> Result<u64, StoreError>;
}

/// The depth of a [`Maintain::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDepth {
    /// The schema, refs and facts. The cost does not depend on the log or on past states.
    Present,
    /// The whole store, including every log entry and the chain of the entries.
    Whole,
}

/// The result of a [`compact`](Maintain::compact).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Compacted {
    /// No remains of deleted data are left.
    Clean,
    /// Remains are left in places that the back end does not manage. The text names the places, and
    /// the people that have to remove the remains.
    Remains(String),
}

/// A visitor of stored blocks. Its arguments are the name and the bytes; its result continues or
/// ends the scan.
pub type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// The result of a [`replace`](Maintain::replace).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// The number of added blocks that were missing or damaged before.
    pub added: u64,
    /// The number of damaged blocks that were dropped.
    pub dropped: u64,
}

/// Returns the current time in microseconds since 1970, for log entries. A clock before 1970 counts
/// as 1970.
#[must_use]
pub fn now_micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Returns whether a store has an intact block with this CID.
pub fn has_sound(blocks: &dyn Blocks, cid: &Cid) -> Result<bool, StoreError> {
    match blocks.get(cid) {
        Ok(block) => Ok(block.is_some()),
        Err(pds_core::data::block::ReadError::Damaged { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads the first fact of a kind.
///
/// # Errors
///
/// [`StoreError`].
pub fn first_fact(view: &dyn View, kind: FactKind) -> Result<Option<Fact>, StoreError> {
    let mut found = None;
    view.facts(kind, &mut |fact| {
        found = Some(fact);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// Reads the latest log entries of one ref, newest first.
///
/// # Errors
///
/// [`StoreError`].
pub fn latest_rows(
    view: &dyn View,
    name: &RefName,
    limit: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    let mut rows = Vec::new();
    if limit == 0 {
        return Ok(rows);
    }
    view.log(&LogQuery::newest_first().of(name.clone()), &mut |row| {
        rows.push(row);
        if rows.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(rows)
}

/// Returns whether a store with blocks has neither refs nor a log that explains their absence.
///
/// # Errors
///
/// [`StoreError`] when the log cannot be read.
pub fn lacks_refs(view: &dyn View) -> Result<bool, StoreError> {
    let mut newest = None;
    view.log(&LogQuery::newest_first(), &mut |row| {
        newest = Some(row);
        ControlFlow::Break(())
    })?;
    match newest {
        None => Ok(true),
        Some(row) => Ok(row.after.is_some() && view.refs()?.is_empty()),
    }
}
