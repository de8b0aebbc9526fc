//! The log: the history of the refs, in order.

use std::collections::HashMap;

use super::{Event, Fate, RefName, StoreError, Version};
use pds_core::data::Cid;
use pds_core::data::limits::MAX_LOG_MESSAGE_BYTES;

/// One move of one ref.
///
/// The rows of a ref form a chain: each `before` equals the `after` of the previous row, and the
/// first `before` is `None`.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::store::Event;
///
/// let first = &repo.history().log(1)?[0];
/// assert_eq!((first.before, first.after, &first.event), (None, repo.head()?, &Event::Init));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The number of the row; later moves have greater ones.
    pub seq: u64,
    /// The ref.
    pub name: RefName,
    /// The commit that it pointed to; `None` when it was created.
    pub before: Option<Cid>,
    /// The commit that it points to; `None` when it was removed.
    pub after: Option<Cid>,
    /// The time, in microseconds since 1970.
    pub at_micros: u64,
    /// The action.
    pub event: Event,
    /// Free text of the writer, on one line. No code reads it.
    pub message: String,
}

/// The rows of the log that are read, and their order.
///
/// ```
/// use pds::store::{LogQuery, RefName};
///
/// let query = LogQuery::newest_first().of(RefName::head());
/// assert!(query.newest_first && query.to.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogQuery {
    /// Only rows of this ref.
    pub name: Option<RefName>,
    /// Only rows by which a ref came to this commit.
    pub to: Option<Cid>,
    /// Begin with this row, in the direction of the query.
    pub from: Option<u64>,
    /// Read the newest row first.
    pub newest_first: bool,
}

impl LogQuery {
    /// Reads all rows, oldest first.
    #[must_use]
    pub fn oldest_first() -> Self {
        Self::default()
    }

    /// Reads all rows, newest first.
    #[must_use]
    pub fn newest_first() -> Self {
        Self { newest_first: true, ..Self::default() }
    }

    /// Reads only the rows of a ref.
    #[must_use]
    pub fn of(mut self, name: RefName) -> Self {
        self.name = Some(name);
        self
    }

    /// Reads only the rows by which a ref came to a commit.
    #[must_use]
    pub fn to(mut self, commit: Cid) -> Self {
        self.to = Some(commit);
        self
    }

    /// Begins with a row.
    #[must_use]
    pub fn from(mut self, seq: u64) -> Self {
        self.from = Some(seq);
        self
    }

    /// Tells whether a row is one of those that are read.
    pub(super) fn matches(&self, entry: &LogEntry) -> bool {
        self.name.as_ref().is_none_or(|name| entry.name == *name)
            && self.to.is_none_or(|to| entry.after == Some(to))
            && self.from.is_none_or(|from| match self.newest_first {
                true => entry.seq <= from,
                false => entry.seq >= from,
            })
    }
}

/// Checks that a text can be the message of a log row: one line, without control characters.
pub(super) fn check_message(message: &str) -> Result<(), StoreError> {
    if message.len() > MAX_LOG_MESSAGE_BYTES {
        return Err(StoreError::Message { reason: "it is longer than 4,096 bytes" });
    }
    if message.chars().any(char::is_control) {
        return Err(StoreError::Message { reason: "it has a line break or a control character" });
    }
    Ok(())
}

/// Links the rows of a log again after some of them have been dropped, row by row in their order.
#[derive(Default)]
pub(super) struct Relink {
    /// The change that was marked: rows after it are those of the sweep's own change, and stay.
    marked: u64,
    /// The commit that each ref points to after the last row that stays, and the number of that row.
    last: HashMap<RefName, (Option<Cid>, u64)>,
}

impl Relink {
    /// Begins with a log whose rows up to a change are decided on.
    pub(super) fn new(marked: Version) -> Self {
        Self { marked: marked.change, last: HashMap::new() }
    }

    /// Takes the next row, and returns it as it is from now on; `None` when it is dropped.
    ///
    /// A row that moves nothing any more is dropped, too.
    pub(super) fn next(
        &mut self,
        mut entry: LogEntry,
        fate: &mut dyn FnMut(&LogEntry) -> Fate,
    ) -> Option<LogEntry> {
        let before = self.last.get(&entry.name).and_then(|(after, _)| *after);
        let is_decided_on = entry.after.is_some() && entry.seq <= self.marked;
        let fate = if is_decided_on { fate(&entry) } else { Fate::Stays };
        match fate {
            Fate::Goes => return None,
            Fate::StaysWithoutMessage => entry.message.clear(),
            Fate::Stays => {}
        }
        if before == entry.after && entry.before != entry.after {
            return None;
        }
        entry.before = before;
        self.last.insert(entry.name.clone(), (entry.after, entry.seq));
        Some(entry)
    }

    #[cfg(any(feature = "sqlite", test))]
    /// Returns the number of the last row of each ref that points to a commit.
    pub(super) fn ends(self) -> impl Iterator<Item = (RefName, u64)> {
        let present = self.last.into_iter().filter(|(_, (after, _))| after.is_some());
        present.map(|(name, (_, seq))| (name, seq))
    }
}
