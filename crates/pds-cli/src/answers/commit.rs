//! The commit that an answer names.

use std::fmt;

use pds::commit::Commit;
use pds::data::Cid;
use pds::syntax::Tid;
use serde::Serialize;

use super::json::optional_text;
use crate::process::text::rev_text;

/// A commit by its CID, with its rev.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct CommitId {
    pub(crate) cid: Cid,
    #[serde(serialize_with = "optional_text")]
    pub(crate) rev: Option<Tid>,
}

impl CommitId {
    pub(crate) fn of(commit: &Commit) -> Self {
        Self { cid: commit.cid(), rev: commit.rev() }
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}", self.cid, rev_text(self.rev))
    }
}
