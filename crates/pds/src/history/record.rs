//! The history of one record: every commit that changed it.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::history::handle::History;
use crate::history::origin::is_cut_before;
use crate::history::parent::{Back, Walk, is_lost};
use crate::history::resolve::Located;
use crate::model::progress::{Progress, StepKind};
use crate::model::revision::Revision;
use crate::parts::Parts;
use crate::reading::Reading;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_core::mst::tree::get;
use pds_core::syntax::record_path::RecordPath;
use pds_store::ref_name::RefName;

/// A commit that changed a record, with the CIDs of the record before and after.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// let path = "com.example.note/a".parse()?;
/// let written = repo.put(&path, &note)?;
/// let version = repo.history().record_history(&path)?.next().expect("there is one")?;
/// assert_eq!(version.commit.cid(), written.commit.cid());
/// assert_eq!((version.before, version.after), (None, written.changes[0].after));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordVersion {
    /// The commit.
    pub commit: Commit,
    /// The CID of the record before the commit. `None` if it did not exist, or the history begins here.
    pub before: Option<Cid>,
    /// The CID of the record after the commit. `None` if the commit deleted it.
    pub after: Option<Cid>,
    /// Whether this commit made the change. If states before the commit were purged, one of them may have made it.
    pub is_certain: bool,
}

/// The versions of a record, newest first; see [`History::record_history`].
pub struct RecordHistory<'r> {
    parts: &'r Parts,
    /// The ref whose log leads to commits that no `prev` names.
    name: RefName,
    key: Vec<u8>,
    /// The blocks, read since the start of the iteration.
    blocks: Arc<Reading>,
    /// The earliest readable commit so far, and the CID of the record in it.
    later: Option<(Commit, Option<Cid>)>,
    /// The commit directly before that one, readable or not.
    directly_before: Option<Cid>,
    /// The earliest commit so far, readable or not.
    at: Cid,
    walk: Walk,
    progress: Progress<'r>,
}

impl fmt::Debug for RecordHistory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordHistory").field("ref", &self.name).finish_non_exhaustive()
    }
}

impl<'r> History<'r> {
    /// Returns the commits that changed a record, from the head backwards.
    ///
    /// The steps are those of `~1`: to the commit in `prev`, or to the one in the log. Each tree is descended
    /// once, and equal trees of successive commits are skipped. An unreadable commit that the log names is an
    /// error item, [`Error::StateLost`]. The iteration then continues with the commit before it, and its change
    /// counts as a change of the commit after it.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] before the first commit, and [`Error`] if the head cannot be read.
    pub fn record_history(&self, path: &RecordPath) -> Result<RecordHistory<'r>> {
        self.record_history_from(None, path)
    }

    /// Returns the commits that changed a record, from a revision backwards, or from the head; see
    /// [`record_history`](Self::record_history).
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] if the revision names no commit; otherwise as `record_history`.
    pub fn record_history_from(
        &self,
        from: Option<&Revision>,
        path: &RecordPath,
    ) -> Result<RecordHistory<'r>> {
        let view = self.parts.store.view()?;
        let (commit, name, walk) = match from {
            Some(from) => {
                let Located { commit, name, walk } = self.locate_in(view.as_ref(), from)?;
                (self.parts.commit_in(view.as_ref(), commit)?, name, walk)
            }
            None => (self.parts.head_in(view.as_ref())?, self.parts.name.clone(), Walk::default()),
        };
        let blocks = self.parts.moment_of(view.as_ref())?.blocks;
        let (head, key) = (commit.cid(), path.to_key());
        let found = get(view.as_ref(), commit.data(), &key)?;
        let (parts, later, directly_before) = (self.parts, Some((commit, found)), None);
        let (at, progress) = (head, Progress::default());
        Ok(RecordHistory { parts, name, key, blocks, later, directly_before, at, walk, progress })
    }
}

impl<'r> RecordHistory<'r> {
    /// Returns the same iterator. It calls a function for each commit that it reads.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress<'r>) -> Self {
        self.progress = progress;
        self
    }

    fn advance(&mut self) -> Result<Option<RecordVersion>> {
        while let Some((commit, after)) = self.later.take() {
            let earlier = {
                let view = self.parts.store.view()?;
                let past = Back { view: view.as_ref(), name: &self.name };
                self.walk.step(&past, self.at)?.before
            };
            let Some(earlier) = earlier else {
                // The history begins here. A record in this commit counts as created by it.
                return after.map(|_| self.version(commit, None, after)).transpose();
            };
            self.progress.one(StepKind::Commits);
            self.directly_before.get_or_insert(earlier);
            self.at = earlier;
            let (earlier, before) = match self.read_earlier(earlier, &commit, after) {
                Err(error) if is_lost(&error) => {
                    self.later = Some((commit, after));
                    return Err(Error::StateLost { commit: earlier, source: Box::new(error) });
                }
                read => read?,
            };
            self.later = Some((earlier, before));
            let version = (before != after).then(|| self.version(commit, before, after));
            self.directly_before = None;
            if version.is_some() {
                return version.transpose();
            }
        }
        Ok(None)
    }

    /// Returns the version of a commit, and whether the commit is known to have made the change.
    fn version(
        &self,
        commit: Commit,
        before: Option<Cid>,
        after: Option<Cid>,
    ) -> Result<RecordVersion> {
        let view = self.parts.store.view()?;
        let is_cut = is_cut_before(self.parts, view.as_ref(), &commit, self.directly_before)?;
        Ok(RecordVersion { commit, before, after, is_certain: !is_cut })
    }

    /// Returns an earlier commit, and the CID of the record in it.
    fn read_earlier(
        &self,
        earlier: Cid,
        commit: &Commit,
        after: Option<Cid>,
    ) -> Result<(Commit, Option<Cid>)> {
        let earlier = self.parts.commit_in(self.blocks.as_ref(), earlier)?;
        let before = match earlier.data() == commit.data() {
            true => after,
            false => get(self.blocks.as_ref(), earlier.data(), &self.key)?,
        };
        Ok((earlier, before))
    }
}

impl Iterator for RecordHistory<'_> {
    type Item = Result<RecordVersion>;

    fn next(&mut self) -> Option<Self::Item> {
        // Any error except a lost state ends the iteration.
        self.advance().transpose()
    }
}
