//! The change that deletes blocks.

use super::{Change, FactEdit, LogEntry, StoreError, Version};
use pds_core::data::Cid;

/// What becomes of a row of the log in a sweep.
///
/// ```
/// use pds::store::Fate;
///
/// assert_ne!(Fate::Stays, Fate::Goes);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The row stays.
    Stays,
    /// The row stays, and its message is cleared.
    StaysWithoutMessage,
    /// The row is dropped, and the rows around it are linked again.
    Goes,
}

/// A change that deletes blocks and drops rows of the log.
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
    /// Tells which blocks stay.
    pub live: &'a dyn Fn(&Cid) -> bool,
    /// Blocks that were missing during marking. If one has reappeared, the sweep fails with
    /// [`StoreError::Changed`].
    pub absent: &'a dyn Fn(&Cid) -> bool,
    /// Decides on each row by which a ref came to a commit, oldest first; `None` keeps the log as it is.
    /// Rows of removals stay as long as there is something to remove.
    pub log: Option<&'a mut dyn FnMut(&LogEntry) -> Fate>,
    /// The facts that change, in this order.
    pub facts: Vec<FactEdit>,
    /// A change that is made first, in the same step: its blocks and commits are among the live ones. Its
    /// rows of the log stay.
    pub change: Option<Change<'a>>,
    /// Count what would be deleted, and change nothing.
    pub dry_run: bool,
}

impl<'a> Sweep<'a> {
    /// Makes a sweep that deletes every block that is not live, and keeps the log.
    #[must_use]
    pub fn new(seen: Version, live: &'a dyn Fn(&Cid) -> bool) -> Self {
        let (log, facts, change) = (None, Vec::new(), None);
        Self { seen, live, absent: &|_| false, log, facts, change, dry_run: false }
    }

    /// Fails if one of these blocks is in the store.
    #[must_use]
    pub fn absent(mut self, absent: &'a dyn Fn(&Cid) -> bool) -> Self {
        self.absent = absent;
        self
    }

    /// Decides on the rows of the log.
    #[must_use]
    pub fn log(mut self, fate: &'a mut dyn FnMut(&LogEntry) -> Fate) -> Self {
        self.log = Some(fate);
        self
    }

    /// Changes facts.
    #[must_use]
    pub fn facts(mut self, facts: Vec<FactEdit>) -> Self {
        self.facts = facts;
        self
    }

    /// Makes a change first.
    #[must_use]
    pub fn change(mut self, change: Change<'a>) -> Self {
        self.change = Some(change);
        self
    }

    /// Checks what can be checked without a store.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.change.as_ref().map_or(Ok(()), Change::check)
    }

    /// Counts only.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// The result of a [`collect`](super::Store::collect).
///
/// ```
/// use pds::store::{MemoryStore, Store, Sweep};
///
/// let store = MemoryStore::default();
/// let seen = store.view()?.version();
/// let swept = store.collect(Sweep::new(seen, &|_| true))?;
/// assert_eq!((swept.blocks, swept.bytes, swept.rows), (0, 0, 0));
/// # Ok::<(), pds::store::StoreError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweptBlocks {
    /// The number of blocks that were deleted.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of the blocks that stay.
    pub kept_bytes: u64,
    /// The number of log rows that were dropped.
    pub rows: u64,
    /// The version of the store after the sweep.
    pub version: Version,
}
