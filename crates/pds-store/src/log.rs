//! The log: the history of the refs, in order.

use crate::error::StoreError;
use crate::event::Event;
use crate::ref_name::RefName;
use pds_core::data::cid::Cid;
use pds_core::data::limits::MAX_LOG_MESSAGE_BYTES;

/// A log entry: one move of one ref.
///
/// The entries of a ref form a chain: each `before` equals the `after` of the previous entry, and
/// the first `before` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The number of the entry. A later move has a greater number.
    pub seq: u64,
    /// The ref.
    pub name: RefName,
    /// The commit that the ref pointed to before, or `None` if it did not exist.
    pub before: Option<Cid>,
    /// The commit that the ref points to afterwards, or `None` if it was removed.
    pub after: Option<Cid>,
    /// The time, in microseconds since 1970.
    pub at_micros: u64,
    /// The action.
    pub event: Event,
    /// Free text of the writer, on one line. No code reads it.
    pub message: String,
}

/// A query for log entries: filters and an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogQuery {
    /// Only entries of this ref.
    pub name: Option<RefName>,
    /// Only entries that moved a ref to this commit.
    pub to: Option<Cid>,
    /// Start with this entry, in the direction of the query.
    pub from: Option<u64>,
    /// Read the newest entry first.
    pub newest_first: bool,
}

impl LogQuery {
    /// Returns a query for all entries, oldest first.
    #[must_use]
    pub fn oldest_first() -> Self {
        Self::default()
    }

    /// Returns a query for all entries, newest first.
    #[must_use]
    pub fn newest_first() -> Self {
        Self { newest_first: true, ..Self::default() }
    }

    /// Restricts the query to the entries of a ref.
    #[must_use]
    pub fn of(mut self, name: RefName) -> Self {
        self.name = Some(name);
        self
    }

    /// Restricts the query to the entries that moved a ref to a commit.
    #[must_use]
    pub fn to(mut self, commit: Cid) -> Self {
        self.to = Some(commit);
        self
    }

    /// Starts the query with an entry.
    #[must_use]
    pub fn starting_at(mut self, seq: u64) -> Self {
        self.from = Some(seq);
        self
    }

    /// Returns whether an entry matches the filters.
    pub(crate) fn matches(&self, entry: &LogEntry) -> bool {
        self.name.as_ref().is_none_or(|name| entry.name == *name)
            && self.to.is_none_or(|to| entry.after == Some(to))
            && self.from.is_none_or(|from| match self.newest_first {
                true => entry.seq <= from,
                false => entry.seq >= from,
            })
    }
}

/// Checks that a text is valid as the message of a log entry: one line without control characters.
///
/// # Errors
///
/// [`StoreError::Message`] with the broken rule.
pub fn check_message(message: &str) -> Result<(), StoreError> {
    if message.len() > MAX_LOG_MESSAGE_BYTES {
        return Err(StoreError::Message { reason: "it is longer than 4,096 bytes" });
    }
    if message.chars().any(char::is_control) {
        return Err(StoreError::Message { reason: "it has a line break or a control character" });
    }
    Ok(())
}
