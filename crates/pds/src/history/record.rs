//! Every version of one record.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::history::before::Back;
use crate::history::handle::History;
use crate::parts::Parts;
use crate::reading::Reading;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_core::mst::tree::get;
use pds_core::syntax::record_path::RecordPath;

/// A commit that has changed a record, and what it made of it.
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
    /// The CID of the record before it; `None` where there was none, or nothing is known.
    pub before: Option<Cid>,
    /// The CID of the record since; `None` where it was deleted.
    pub after: Option<Cid>,
}

/// The versions of a record, newest first; see [`Repo::record_history`].
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let path = "com.example.note/never".parse()?;
/// assert!(repo.history().record_history(&path)?.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordHistory<'r> {
    parts: &'r Parts,
    key: Vec<u8>,
    /// The blocks as they are from the beginning on.
    blocks: Arc<Reading>,
    /// The earliest commit that was looked at and could be read, and the record in it.
    later: Option<(Commit, Option<Cid>)>,
    /// How far back it has come, over commits that cannot be read too.
    at: Cid,
    seen: HashSet<Cid>,
}

impl<'r> History<'r> {
    /// Finds the commits that have changed a record, from the head backwards.
    ///
    /// The way back is that of `~1`: the commit named in `prev`, or the one in the log. Each tree on it is
    /// descended once, and not at all where it is the one of the commit before. A commit that the
    /// log knows of, and that cannot be read, is an item of its own, [`Error::StateLost`], and the way goes
    /// on behind it: a change that was made there counts as one of the commit after it.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] before the first commit, and [`Error`] when the head cannot be read.
    pub fn record_history(&self, path: &RecordPath) -> Result<RecordHistory<'r>> {
        let view = self.parts.store.view()?;
        let commit = self.parts.head_in(view.as_ref())?;
        let blocks = self.parts.moment_of(view.as_ref())?.blocks;
        let (head, key) = (commit.cid(), path.to_key());
        let found = get(view.as_ref(), commit.data(), &key)?;
        let (later, seen) = (Some((commit, found)), HashSet::from([head]));
        Ok(RecordHistory { parts: self.parts, key, blocks, later, at: head, seen })
    }
}

impl RecordHistory<'_> {
    fn advance(&mut self) -> Result<Option<RecordVersion>> {
        while let Some((commit, after)) = self.later.take() {
            let earlier = {
                let view = self.parts.store.view()?;
                Back { view: view.as_ref(), name: &self.parts.name }.before_even_if_lost(self.at)?
            };
            let Some(earlier) = earlier.filter(|earlier| self.seen.insert(*earlier)) else {
                // The first that is known of: what is there then has been there since.
                let first = after.map(|_| RecordVersion { commit, before: None, after });
                return Ok(first);
            };
            self.at = earlier;
            let (earlier, before) = match self.stood(earlier, &commit, after) {
                Err(error) if error.is_corrupt() || error.is_not_found() => {
                    self.later = Some((commit, after));
                    return Err(Error::StateLost { commit: earlier, source: Box::new(error) });
                }
                stood => stood?,
            };
            self.later = Some((earlier, before));
            if before != after {
                return Ok(Some(RecordVersion { commit, before, after }));
            }
        }
        Ok(None)
    }

    /// Reads an earlier commit, and what the record is in it.
    fn stood(
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
        // Another error than that of a lost state ends it.
        self.advance().transpose()
    }
}
