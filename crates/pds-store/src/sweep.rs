//! Sweeps: the changes that delete blocks.

use crate::change::Change;
use crate::error::StoreError;
use crate::fact::FactEdit;
use crate::log::LogEntry;
use crate::version::Version;
use pds_core::data::cid::Cid;
use std::fmt;

/// The decision of a sweep about a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The entry is kept.
    Stays,
    /// The entry is kept, and its message is cleared.
    StaysWithoutMessage,
    /// The entry is dropped, and the entries around it are linked again.
    Goes,
}

/// A change that deletes blocks and drops log entries.
///
/// ```
/// use pds::store::{Fate, MemoryStore, Store, StoreError, Sweep, Version};
///
/// let seen = Version { change: 7, sweep: 0 };
/// let sweep = Sweep::new(seen, &|_| false);
/// assert!(matches!(MemoryStore::default().collect(sweep), Err(StoreError::Changed)));
/// ```
#[non_exhaustive]
pub struct Sweep<'a> {
    /// The version of the store whose live blocks were marked.
    pub seen: Version,
    /// Returns whether a block is live. Live blocks are kept.
    pub live: &'a dyn Fn(&Cid) -> bool,
    /// Blocks that were missing during marking. If one has reappeared, the sweep fails with
    /// [`StoreError::Changed`].
    pub absent: &'a dyn Fn(&Cid) -> bool,
    /// Decides about each entry that moved a ref to a commit, oldest first; `None` keeps the whole
    /// log. Entries of removals are kept as long as an entry before them is.
    pub log: Option<&'a mut dyn FnMut(&LogEntry) -> Fate>,
    /// The facts to edit, in this order.
    pub facts: Vec<FactEdit>,
    /// Brings the sweep up to date with a store that has changed since it was marked. `None` lets
    /// the sweep fail then.
    pub catch_up: Option<&'a mut CatchUp<'a>>,
    /// A change to apply first, in the same step. Its blocks and commits are among the live ones,
    /// and its log entries are kept.
    pub change: Option<Change<'a>>,
    /// Counts the deletions without making them.
    pub dry_run: bool,
}

/// Marks what other writers have added up to a version, and returns the facts to edit.
///
/// It is called while no other writer can change the store, and may read the store. Afterwards the
/// other functions of the sweep answer for this version.
pub type CatchUp<'a> = dyn FnMut(Version) -> Result<Vec<FactEdit>, StoreError> + 'a;

impl fmt::Debug for Sweep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep")
            .field("seen", &self.seen)
            .field("change", &self.change)
            .field("facts", &self.facts)
            .field("dry_run", &self.dry_run)
            .finish_non_exhaustive()
    }
}

impl<'a> Sweep<'a> {
    /// Returns a sweep that deletes every block that is not live, and keeps the log.
    #[must_use]
    pub fn new(seen: Version, live: &'a dyn Fn(&Cid) -> bool) -> Self {
        let (log, facts, catch_up, change) = (None, Vec::new(), None, None);
        Self { seen, live, absent: &|_| false, log, facts, catch_up, change, dry_run: false }
    }

    /// Makes the sweep fail if one of these blocks is in the store.
    #[must_use]
    pub fn absent(mut self, absent: &'a dyn Fn(&Cid) -> bool) -> Self {
        self.absent = absent;
        self
    }

    /// Sets the decision about log entries.
    #[must_use]
    pub fn log(mut self, fate: &'a mut dyn FnMut(&LogEntry) -> Fate) -> Self {
        self.log = Some(fate);
        self
    }

    /// Sets the facts to edit.
    #[must_use]
    pub fn facts(mut self, facts: Vec<FactEdit>) -> Self {
        self.facts = facts;
        self
    }

    /// Sets the function that brings the sweep up to date.
    #[must_use]
    pub fn catch_up(mut self, catch_up: &'a mut CatchUp<'a>) -> Self {
        self.catch_up = Some(catch_up);
        self
    }

    /// Sets a change to apply first.
    #[must_use]
    pub fn change(mut self, change: Change<'a>) -> Self {
        self.change = Some(change);
        self
    }

    /// Checks the rules that need no store. Every back end checks them first.
    ///
    /// # Errors
    ///
    /// As [`Change::check`], for the change of the sweep.
    pub fn check(&self) -> Result<(), StoreError> {
        self.change.as_ref().map_or(Ok(()), Change::check)
    }

    /// Meets the version of the store: it is the marked one, or the sweep catches up. Every back
    /// end calls this before anything else, while no other writer can change the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Changed`] if the sweep cannot catch up, or if blocks were deleted since it was
    /// marked; and the error of the function that catches up.
    pub fn meet(&mut self, version: Version) -> Result<(), StoreError> {
        if version == self.seen {
            return Ok(());
        }
        match self.catch_up.take().filter(|_| version.sweep == self.seen.sweep) {
            Some(catch_up) => {
                self.facts = catch_up(version)?;
                self.seen = version;
                Ok(())
            }
            None => Err(StoreError::Changed),
        }
    }

    /// Sets whether the sweep only counts.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// The result of a [`collect`](crate::store::Store::collect).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweptBlocks {
    /// The number of blocks that were deleted.
    pub blocks: u64,
    /// The total size of the deleted blocks, in bytes.
    pub bytes: u64,
    /// The total size of the kept blocks, in bytes.
    pub kept_bytes: u64,
    /// The number of dropped log entries.
    pub rows: u64,
    /// The version of the store after the sweep.
    pub version: Version,
}
