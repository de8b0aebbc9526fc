//! Storage of blocks, refs, the log and facts: the seam between repositories and back ends.
//!
//! Vocabulary: a *ref* is a name that points to a commit; the *log* has a row for every move of a
//! ref, and says by which *event* it moved; a *fact* is a typed row about the repository (its
//! account, its keys, known losses); a *view* is one consistent moment of a store; a *change* is one
//! step of a store, all or nothing; a *sweep* is a change that deletes blocks.
//!
//! A store knows bytes, names and facts. It does not know what a commit or a tree is. Everything is
//! read through [`View`], everything is written by [`Store::apply`], and only [`Store::collect`]
//! deletes. [`Maintain`] has what rescue and the end of a collection need beside that.
//!
//! [`MemoryStore`] is the readable specification. Every store passes the suite in `conformance`
//! (feature `testing`).

mod change;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod error;
mod event;
mod fact;
mod log;
mod memory;
mod ref_name;
mod refs;
#[cfg(feature = "sqlite")]
mod sqlite;
mod sweep;

use std::ops::ControlFlow;

pub use change::{Applied, BlockStream, BoxError, Change, LogStream};
pub use error::{StoreError, damage};
pub use event::Event;
pub use fact::{Fact, FactEdit, FactKind};
pub use log::{LogEntry, LogQuery};
pub use memory::MemoryStore;
pub use ref_name::{RefName, RefNameError};
pub use refs::{Expect, RefEdit, Refs};
#[cfg(feature = "sqlite")]
pub use sqlite::{FORMAT, Salvaged, SalvagedRef, SqliteStore};
pub use sweep::{Fate, Sweep, SweptBlocks};

use pds_core::data::{Blocks, Cid};

/// The numbers of the last change of a store, and of the last change that deleted blocks.
///
/// A reader that misses a block compares `sweep` with the number that it began with: if the two
/// differ, the block may have been deleted; if they are equal, the block is missing or damaged.
///
/// ```
/// use pds::store::{MemoryStore, Store, Version};
///
/// assert_eq!(MemoryStore::default().view()?.version(), Version { change: 0, sweep: 0 });
/// # Ok::<(), pds::store::StoreError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// The number of the last change.
    pub change: u64,
    /// The number of the last change that deleted blocks.
    pub sweep: u64,
}

/// One consistent moment of a store.
///
/// A view is held briefly, for one answer: a back end may be unable to give room back while it is
/// open. Dropping the view ends the read. Long work reads the [`Store`] itself as [`Blocks`].
///
/// ```
/// use pds::store::{LogQuery, MemoryStore, Store};
///
/// let store = MemoryStore::default();
/// let view = store.view()?;
/// assert!(view.refs()?.is_empty());
/// # Ok::<(), pds::store::StoreError>(())
/// ```
pub trait View: Blocks {
    /// Returns the version of the store at this moment.
    fn version(&self) -> Version;

    /// Reads all refs.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; [`StoreError::Damaged`] when a row is not what was written.
    fn refs(&self) -> Result<Refs, StoreError>;

    /// Reads rows of the log, in either direction, until `each` breaks off. `each` may read the view.
    ///
    /// # Errors
    ///
    /// As [`refs`](Self::refs).
    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Reads the facts of a kind, in no order, until `each` breaks off. `each` may read the view.
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

/// A place where blocks, refs, the log and facts are kept.
///
/// Read as [`Blocks`], each answer of a store has its own moment. Everything that
/// [`apply`](Self::apply) has acknowledged survives a crash, as far as the back end is one that
/// survives anything.
///
/// ```
/// use pds::store::{MemoryStore, Store};
///
/// fn is_empty(store: &dyn Store) -> bool {
///     store.view().is_ok_and(|view| view.version().change == 0)
/// }
/// assert!(is_empty(&MemoryStore::default()));
/// ```
pub trait Store: Blocks {
    /// Begins to read one moment of the store. No view waits for another.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError>;

    /// Makes a change: blocks, refs and facts, all or nothing. The log gets a row for each ref.
    ///
    /// The stream of blocks may read this store. A block that is stored already stays as it is;
    /// where its bytes are damaged, the block that comes replaces it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Moved`] when an expectation does not hold, [`StoreError::TargetMissing`] when a
    /// target would not be in the store, [`StoreError::Changed`] when the store has changed or swept since
    /// the version that the change names, [`StoreError::Blocks`] when a stream fails,
    /// [`StoreError::NoEdits`] when there is nothing to do, [`StoreError::Message`]. Nothing has
    /// changed then.
    fn apply(&self, change: Change<'_>) -> Result<Applied, StoreError>;

    /// Deletes every block that is not live, and rewrites the log and facts, all or nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Changed`] when the store has another version than the one that was marked, or a
    /// block that was absent. Nothing has changed then.
    fn collect(&self, sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError>;

    /// Returns the operations that rescue and the end of a collection need; a remote store may have none.
    fn maintain(&self) -> Option<&dyn Maintain> {
        None
    }
}

/// What rescue and the end of a collection need of a back end.
///
/// ```
/// use pds::store::{CheckDepth, MemoryStore, Store};
///
/// let store = MemoryStore::default();
/// let maintain = store.maintain().expect("a store in memory has it");
/// assert!(maintain.check(CheckDepth::Whole)?.is_empty());
/// # Ok::<(), pds::store::StoreError>(())
/// ```
pub trait Maintain: Send + Sync {
    /// Checks the form of the stored data, and returns what is wrong, a sentence each. Blocks are not hashed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read at all.
    fn check(&self, depth: CheckDepth) -> Result<Vec<String>, StoreError>;

    /// Shows every block as it is stored: its name and its bytes, whether or not they belong together.
    ///
    /// The order means nothing. The visitor may read the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when some rows cannot be read; all others have been shown.
    fn scan_raw(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError>;

    /// Drops the damaged blocks of some names, and adds blocks, in one step. A block whose bytes are
    /// right stays. No ref moves, and the log gets no row.
    ///
    /// # Errors
    ///
    /// [`StoreError::Blocks`] when the stream fails. Nothing has changed then.
    fn replace(
        &self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Replaced, StoreError>;

    /// Rewrites the stored data so that nothing of what was swept is left in it, and gives room back.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] while another reader is open: remains may be left until this is done again.
    fn compact(&self) -> Result<(), StoreError>;

    /// Counts the blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn block_count(&self) -> Result<u64, StoreError>;
}

/// How much of a store [`Maintain::check`] looks at.
///
/// ```
/// use pds::store::CheckDepth;
///
/// assert_ne!(CheckDepth::Present, CheckDepth::Whole);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDepth {
    /// The schema, refs and facts. The cost depends neither on the log nor on states of the past.
    Present,
    /// All of it, with every row of the log and the chain that the rows form.
    Whole,
}

/// Looks at blocks as they are stored: the name, the bytes, and whether to go on.
pub type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// The result of a [`replace`](Maintain::replace).
///
/// ```
/// use pds::data::{Block, Codec};
/// use pds::store::{MemoryStore, Store};
///
/// let block = Block::new(Codec::Cbor, *b"\xa0");
/// let name = block.cid().as_bytes().to_vec();
/// let store = MemoryStore::default();
/// let maintain = store.maintain().expect("a store in memory has it");
/// let replaced = maintain.replace(&mut [Ok(block)].into_iter(), &[name])?;
/// assert_eq!((replaced.added, replaced.dropped), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// The number of blocks that were missing or damaged and are stored now.
    pub added: u64,
    /// The number of damaged blocks that were dropped.
    pub dropped: u64,
}

/// The present time in microseconds since 1970; a clock before 1970 counts as 1970.
fn now_micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Tells whether a store has a block whose bytes are right.
pub fn has_sound(blocks: &dyn Blocks, cid: &Cid) -> Result<bool, StoreError> {
    match blocks.get(cid) {
        Ok(block) => Ok(block.is_some()),
        Err(pds_core::data::ReadError::Damaged { .. }) => Ok(false),
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

/// Reads the latest rows of one ref, newest first.
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
