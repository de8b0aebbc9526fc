//! The answer of `pds put`, `pds rm` and `pds apply`.

use std::fmt;

use anyhow::Result;
use pds::commit::Commit;
use pds::data::Cid;
use pds::syntax::AtUri;
use pds::{RecordChange, SpooledWritten, Written};
use serde::Serialize;

use super::change::Action;
use super::commit::CommitId;

#[derive(Serialize)]
pub(crate) struct WrittenRow {
    pub(crate) action: Action,
    /// The CID of the record; `None` if it was deleted.
    pub(crate) cid: Option<Cid>,
    pub(crate) commit: CommitId,
    /// Whether the record has another CID than before.
    #[serde(skip)]
    pub(crate) is_change: bool,
    #[serde(skip)]
    pub(crate) path: String,
    pub(crate) uri: String,
}

impl WrittenRow {
    /// Returns one row per record that the commit changed.
    pub(crate) fn all(written: &Written) -> impl Iterator<Item = Self> {
        written.changes.iter().map(|change| Self::of(&written.commit, change))
    }

    /// Returns the rows of a commit whose changes are read while they are printed.
    pub(crate) fn spooled(written: &SpooledWritten) -> impl Iterator<Item = Result<Self>> {
        written.changes().map(|change| Ok(Self::of(&written.commit, &change?)))
    }

    /// Returns the row of one record that a commit changed.
    pub(crate) fn of(commit: &Commit, change: &RecordChange) -> Self {
        Self {
            action: Action::of(change.before, change.after),
            cid: change.after,
            commit: CommitId::of(commit),
            is_change: change.before != change.after,
            path: change.path.to_string(),
            uri: AtUri::record(commit.did(), &change.path).to_string(),
        }
    }
}

/// A write that would be made.
#[derive(Serialize)]
pub(crate) struct PlannedRow {
    action: Action,
    cid: Option<Cid>,
    commit: Option<CommitId>,
    uri: String,
}

impl PlannedRow {
    pub(crate) fn deletion(uri: String) -> Self {
        Self { action: Action::Delete, cid: None, commit: None, uri }
    }
}

display!(PlannedRow, "{uri}", uri);

impl fmt::Display for WrittenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cid {
            Some(cid) => write!(f, "{}\t{cid}", self.uri),
            None => self.uri.fmt(f),
        }
    }
}
