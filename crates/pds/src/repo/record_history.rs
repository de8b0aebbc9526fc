//! Every version of one record.

use super::history::Back;
use super::{Repo, Result};
use crate::commit::Commit;
use crate::data::Cid;
use crate::mst;
use crate::syntax::RecordPath;

/// A commit that has changed a record, and what it made of it.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// let path = "com.example.note/a".parse()?;
/// let written = repo.put(&path, &note)?;
/// let version = repo.record_history(&path)?.next().expect("there is one")?;
/// assert_eq!(version.commit.cid(), written.commit.cid());
/// assert_eq!((version.before, version.after), (None, written.changes[0].after));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordVersion {
    /// The commit.
    pub commit: Commit,
    /// The CID of the record before it; `None` where there was none, or nothing is known.
    pub before: Option<Cid>,
    /// The CID of the record since; `None` where it was deleted.
    pub after: Option<Cid>,
}

/// The versions of a record, newest first; see [`Repo::record_history`].
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let path = "com.example.note/never".parse()?;
/// assert!(repo.record_history(&path)?.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordHistory<'r> {
    repo: &'r Repo,
    back: Back<'r>,
    key: Vec<u8>,
    /// The commit that is looked at next, and what the record is in it.
    next: Option<(Commit, Option<Cid>)>,
}

impl Repo {
    /// Finds the commits that have changed a record, from the head backwards.
    ///
    /// The way back is that of `~1`: what a commit names in `prev`, or what the log says. Each tree on
    /// it is descended once, and not at all where it is the one of the commit before.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] before the first commit; the items fail when a commit or a tree cannot be
    /// read.
    pub fn record_history(&self, path: &RecordPath) -> Result<RecordHistory<'_>> {
        let head = self.present()?;
        let commit = self.commit_at(head)?;
        let key = path.to_string().into_bytes();
        let stands = mst::get(self.store.as_ref(), commit.data(), &key)?;
        let back = Back::on(self, &self.name);
        Ok(RecordHistory { repo: self, back, key, next: Some((commit, stands)) })
    }
}

impl RecordHistory<'_> {
    fn advance(&mut self) -> Result<Option<RecordVersion>> {
        while let Some((commit, after)) = self.next.take() {
            let Some(earlier) = self.back.before(commit.cid())? else {
                // The first that is known of: what is there then has been there since.
                let first = after.map(|_| RecordVersion { commit, before: None, after });
                return Ok(first);
            };
            let earlier = self.repo.commit_at(earlier)?;
            let before = if earlier.data() == commit.data() {
                after
            } else {
                mst::get(self.repo.store.as_ref(), earlier.data(), &self.key)?
            };
            self.next = Some((earlier, before));
            if before != after {
                return Ok(Some(RecordVersion { commit, before, after }));
            }
        }
        Ok(None)
    }
}

impl Iterator for RecordHistory<'_> {
    type Item = Result<RecordVersion>;

    fn next(&mut self) -> Option<Self::Item> {
        // An error ends it: what would have come next is gone with it.
        self.advance().transpose()
    }
}
