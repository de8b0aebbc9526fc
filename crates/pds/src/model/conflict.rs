//! Conflicts: records that both sides of a merge changed, and the resolution of such conflicts.

use std::collections::HashMap;

use crate::model::write::RecordChange;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_core::syntax::record_path::RecordPath;

/// One record in three states: in the common base, on our side and on the other side.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = |text: &str| pds::data::Value::from([("text", pds::data::Value::from(text))]);
/// use pds::Error;
///
/// let path = "com.example.note/a".parse()?;
/// let first = repo.put(&path, &note("first"))?.commit.cid();
/// repo.put(&path, &note("second"))?;
/// let Err(Error::Conflicts(conflicts)) = repo.merge().revert(first) else { panic!("it was changed since") };
/// let record = &conflicts.changes.conflicts[0];
/// assert!(record.base.is_some() && record.ours.is_some() && record.theirs.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The record.
    pub path: RecordPath,
    /// Its CID in the common base. `None` if it does not exist there.
    pub base: Option<Cid>,
    /// Its CID on our side. `None` if it does not exist there.
    pub ours: Option<Cid>,
    /// Its CID on the other side. `None` if it does not exist there.
    pub theirs: Option<Cid>,
}

/// The changes of two sides that were not merged, because they need a choice.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Conflicts {
    /// The common base of both sides. `None` stands for a repository without records.
    pub base: Option<Commit>,
    /// The commit of the ref that is merged into.
    pub ours: Commit,
    /// The other commit.
    pub theirs: Commit,
    /// The changes of all records since the common base.
    pub changes: SideChanges,
}

/// The changes of two sides since their common base. Each list is in key order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SideChanges {
    /// The records that both sides changed differently, and for which no side was chosen.
    pub conflicts: Vec<Versions>,
    /// The changes that our side adopts.
    pub adopted: Vec<RecordChange>,
    /// The records that both sides changed in the same way.
    pub same: Vec<RecordPath>,
    /// The number of records that our side changed.
    pub by_ours: u64,
    /// The number of records that the other side changed.
    pub by_theirs: u64,
}

/// One of the two sides of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side of the ref that is merged into.
    Ours,
    /// The side of the merged commit.
    Theirs,
}

/// The choice of a side for records that both sides changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolution {
    /// The chosen side of single records.
    pub paths: HashMap<RecordPath, Side>,
    /// The chosen side of all other records. With `None`, each of them is a conflict.
    pub rest: Option<Side>,
}

impl Resolution {
    /// Sets the chosen side of single records.
    #[must_use]
    pub fn paths(mut self, paths: HashMap<RecordPath, Side>) -> Self {
        self.paths = paths;
        self
    }

    /// Sets the chosen side of all other records.
    #[must_use]
    pub fn rest(mut self, rest: impl Into<Option<Side>>) -> Self {
        self.rest = rest.into();
        self
    }
}
