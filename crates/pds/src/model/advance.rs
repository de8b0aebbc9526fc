//! The changes of one commit, as a host announces them, and the reasons why they do not lead to it.

use std::fmt;

use crate::model::write::RecordChange;
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;

/// The changes from one state to the next, as a host announces them.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Advance<'a> {
    /// The commit that the changes lead to.
    pub commit: &'a Commit,
    /// The changes, in the order in which they are made.
    pub changes: &'a [RecordChange],
    /// The blocks of the new records.
    pub records: &'a dyn Blocks,
    /// The root of the tree that the changes begin at. With `None`, only the changes decide whether they fit.
    pub base: Option<Cid>,
}

impl<'a> Advance<'a> {
    /// Names a commit, the changes that lead to it, and the blocks of the new records.
    #[must_use]
    pub fn new(commit: &'a Commit, changes: &'a [RecordChange], records: &'a dyn Blocks) -> Self {
        Self { commit, changes, records, base: None }
    }

    /// Sets the root of the tree that the changes begin at.
    #[must_use]
    pub fn base(mut self, data: impl Into<Option<Cid>>) -> Self {
        self.base = data.into();
        self
    }
}

impl fmt::Debug for Advance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, changes, base, .. } = self;
        let mut shown = f.debug_struct("Advance");
        shown.field("commit", &commit.cid()).field("changes", changes).field("base", base);
        shown.finish_non_exhaustive()
    }
}

/// The reason why changes do not lead from the present state to a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvanceError {
    /// The changes begin at another state than the present one. The states between are unknown here.
    #[error("the changes begin at tree {expected}, and {}", present(found))]
    Base {
        /// The root of the tree that the changes begin at.
        expected: Cid,
        /// The root of the present tree, or `None` before the first commit.
        found: Option<Cid>,
    },
    /// A change replaces or deletes something else than the tree has.
    #[error("record {path} {}, and the change begins with {}", was(found), one(expected))]
    Change {
        /// The path of the record.
        path: String,
        /// The CID that the change begins with, or `None` if it creates the record.
        expected: Option<Cid>,
        /// The CID in the tree.
        found: Option<Cid>,
    },
    /// The block of a new record is missing.
    #[error("block {cid} of the new record {path} is missing")]
    Record {
        /// The path of the record.
        path: String,
        /// The missing block.
        cid: Cid,
    },
    /// The changes lead to another tree than that of the commit.
    #[error("the changes lead to tree {found}, and the commit has {expected}")]
    Root {
        /// The root of the tree of the commit.
        expected: Cid,
        /// The root of the tree that the changes lead to.
        found: Cid,
    },
}

fn present(found: &Option<Cid>) -> String {
    found.map_or_else(
        || "there is no commit yet".to_owned(),
        |cid| format!("the present tree is {cid}"),
    )
}

fn was(found: &Option<Cid>) -> String {
    found.map_or_else(|| "does not exist".to_owned(), |cid| format!("is {cid}"))
}

fn one(expected: &Option<Cid>) -> String {
    expected.map_or_else(|| "nothing".to_owned(), |cid| cid.to_string())
}
