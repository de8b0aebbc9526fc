//! Changes: the writes to a store, each applied completely or not at all.

use crate::error::{BoxError, StoreError};
use crate::event::Event;
use crate::fact::FactEdit;
use crate::log::{LogEntry, check_message};
use crate::refs::RefEdit;
use crate::version::Version;
use pds_core::data::block::Block;
use std::fmt;

/// Blocks to be stored. An error in the stream fails the change.
pub type BlockStream<'a> = dyn Iterator<Item = Result<Block, BoxError>> + 'a;

/// Log entries to be stored. An error in the stream fails the change.
pub type LogStream<'a> = dyn Iterator<Item = Result<LogEntry, BoxError>> + 'a;

/// One step of a store: blocks, refs and facts, all or nothing.
///
/// ```
/// use pds::data::{Block, Codec};
/// use pds::store::{Change, Event, Expect, MemoryStore, RefEdit, RefName, Store};
///
/// let block = Block::new(Codec::Cbor, *b"\xa0");
/// let edit = RefEdit { name: RefName::head(), target: Some(block.cid()), expect: Expect::Absent };
/// let change = Change::new(Event::Write).blocks([Ok(block)]).edit(edit).message("first");
/// assert_eq!(MemoryStore::default().apply(change)?.new_blocks, 1);
/// # Ok::<(), pds::store::StoreError>(())
/// ```
#[non_exhaustive]
pub struct Change<'a> {
    /// The blocks to store, because a ref needs them. The stream is read once.
    pub blocks: Box<BlockStream<'a>>,
    /// The refs to edit. Each edit appends a log entry.
    pub refs: Vec<RefEdit>,
    /// The facts to edit, in this order.
    pub facts: Vec<FactEdit>,
    /// The action that the log entries record.
    pub event: Event,
    /// Free text for the log entries, on one line.
    pub message: String,
    /// The number of the last change that the writer has seen. If it differs, the change fails with
    /// [`StoreError::Changed`].
    pub change_seen: Option<u64>,
    /// The number of the last sweep that the writer has seen. If it differs, the change fails with
    /// [`StoreError::Changed`], because blocks that it relies on may have been deleted.
    pub sweep_seen: Option<u64>,
    /// Log entries with their own numbers and times, oldest first, for copies and rebuilds. They
    /// are accepted into an empty log only, and come before the entries of `refs`. An edit that
    /// points a ref to the commit in its last copied entry appends no entry.
    pub history: Option<Box<LogStream<'a>>>,
}

impl fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("event", &self.event)
            .field("refs", &self.refs)
            .field("facts", &self.facts)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl<'a> Change<'a> {
    /// Returns an empty change.
    #[must_use]
    pub fn new(event: Event) -> Self {
        Self {
            blocks: Box::new(std::iter::empty()),
            refs: Vec::new(),
            facts: Vec::new(),
            event,
            message: String::new(),
            change_seen: None,
            sweep_seen: None,
            history: None,
        }
    }

    /// Adds blocks.
    #[must_use]
    pub fn blocks<I>(mut self, blocks: I) -> Self
    where
        I: IntoIterator<Item = Result<Block, BoxError>>,
        I::IntoIter: 'a,
    {
        self.blocks = Box::new(blocks.into_iter());
        self
    }

    /// Adds an edit of a ref.
    #[must_use]
    pub fn edit(mut self, edit: RefEdit) -> Self {
        self.refs.push(edit);
        self
    }

    /// Adds edits of several refs.
    #[must_use]
    pub fn edits(mut self, edits: impl IntoIterator<Item = RefEdit>) -> Self {
        self.refs.extend(edits);
        self
    }

    /// Adds an edit of a fact.
    #[must_use]
    pub fn fact(mut self, edit: FactEdit) -> Self {
        self.facts.push(edit);
        self
    }

    /// Adds edits of several facts.
    #[must_use]
    pub fn facts(mut self, edits: impl IntoIterator<Item = FactEdit>) -> Self {
        self.facts.extend(edits);
        self
    }

    /// Sets the message of the log entries.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Makes the change fail if another change was applied since this version.
    #[must_use]
    pub fn unless_changed_since(mut self, version: Version) -> Self {
        (self.change_seen, self.sweep_seen) = (Some(version.change), Some(version.sweep));
        self
    }

    /// Makes the change fail if blocks were deleted since this version.
    #[must_use]
    pub fn unless_swept_since(mut self, version: Version) -> Self {
        self.sweep_seen = Some(version.sweep);
        self
    }

    /// Adds log entries, for a copy.
    #[must_use]
    pub fn history<I>(mut self, rows: I) -> Self
    where
        I: IntoIterator<Item = Result<LogEntry, BoxError>>,
        I::IntoIter: 'a,
    {
        self.history = Some(Box::new(rows.into_iter()));
        self
    }

    /// Checks the rules that need no store. Every back end checks them first.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoEdits`] if the change is empty, [`StoreError::Message`] if its message is
    /// not valid.
    pub fn check(&self) -> Result<(), StoreError> {
        check_message(&self.message)?;
        let does_nothing = self.refs.is_empty() && self.facts.is_empty() && self.history.is_none();
        if does_nothing { Err(StoreError::NoEdits) } else { Ok(()) }
    }

    /// Returns the numbers that the writer has seen.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { change: self.change_seen, sweep: self.sweep_seen }
    }
}

/// The numbers of the store that the change depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The number of the last change, if it must be the same.
    pub change: Option<u64>,
    /// The number of the last sweep, if it must be the same.
    pub sweep: Option<u64>,
}

impl Seen {
    /// Checks that the store still has these numbers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Changed`] if a number differs.
    pub fn check(self, version: Version) -> Result<(), StoreError> {
        let is_seen = |seen: Option<u64>, found| seen.is_none_or(|seen| seen == found);
        match is_seen(self.change, version.change) && is_seen(self.sweep, version.sweep) {
            true => Ok(()),
            false => Err(StoreError::Changed),
        }
    }
}

/// The result of an [`apply`](crate::store::Store::apply).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The number of stored blocks that were missing or damaged before.
    pub new_blocks: u64,
    /// The version of the store after the change.
    pub version: Version,
}
