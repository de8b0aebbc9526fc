//! The comparison of two states, one change at a time.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::history::handle::History;
use crate::model::write::RecordChange;
use crate::parts::Parts;
use crate::reading::Reading;
use crate::snapshot::record_changes;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::diff::diff;

/// Two states whose changes can be read one at a time, any number of times; from [`History::compare`].
pub struct Comparison<'r> {
    parts: &'r Parts,
    blocks: Arc<Reading>,
    /// The roots of the two trees.
    before: Option<Cid>,
    after: Option<Cid>,
}

impl fmt::Debug for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Comparison")
            .field("before", &self.before)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

impl<'r> History<'r> {
    /// Prepares the comparison of two commits. `None` is a repository without records.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// let before = repo.snapshot()?.commit().cid();
    /// let written = repo.put(&"com.example.note/a".parse()?, &note)?;
    /// let comparison = repo.history().compare(Some(before), Some(written.commit.cid()))?;
    /// assert_eq!(comparison.changes().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCommit`](crate::Error::UnknownCommit) or another [`Error`](crate::Error) if a commit cannot be
    /// read.
    pub fn compare(&self, before: Option<Cid>, after: Option<Cid>) -> Result<Comparison<'r>> {
        let blocks = self.parts.reading()?;
        let data = |commit: Option<Cid>| -> Result<Option<Cid>> {
            commit.map(|cid| Ok(self.parts.commit_in(blocks.as_ref(), cid)?.data())).transpose()
        };
        let (before, after) = (data(before)?, data(after)?);
        Ok(Comparison { parts: self.parts, blocks, before, after })
    }
}

impl Comparison<'_> {
    /// Iterates over the changes, in key order. The memory that it needs does not depend on the number of records.
    ///
    /// A key that is no record path is an error item, [`Error::Path`](crate::Error::Path), and the iteration
    /// continues. It ends after any other error.
    pub fn changes(&self) -> impl Iterator<Item = Result<RecordChange>> + '_ {
        let diff = diff(self.blocks.as_ref(), self.before, self.after);
        record_changes(diff.cached(self.parts.caches.nodes().as_ref()))
    }

    /// Returns the source of the blocks of both states.
    #[must_use]
    pub fn blocks(&self) -> &dyn Blocks {
        self.blocks.as_ref()
    }
}
