//! The commits of a history, from one commit back to the first.

use std::fmt;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::history::handle::History;
use crate::history::origin::is_cut_before;
use crate::history::parent::{Back, Walk, WalkedCommit};
use crate::history::resolve::Located;
use crate::model::revision::Revision;
use crate::parts::Parts;
use pds_core::commit::Commit;
use pds_core::data::block::ReadError;
use pds_core::data::cid::Cid;
use pds_store::event::Event;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::store::View;

/// A commit of a history.
#[derive(Debug)]
pub struct PastCommit {
    /// The CID of the commit.
    pub cid: Cid,
    /// The commit, or the reason why it cannot be read.
    pub commit: Result<Commit>,
    /// The commit before it, which `~1` names.
    pub parent: Option<Cid>,
    /// Whether states between the parent and this commit were purged, so that the changes of the commit are unknown.
    pub is_cut: bool,
    /// The log entry that brought the commit: the first one for it, except for `set`, `reset` and `remove`. These only move
    /// a ref to a commit that is stored.
    pub arrival: Option<LogEntry>,
}

/// The commits of a history, newest first; see [`History::commits`].
pub struct PastCommits<'r> {
    parts: &'r Parts,
    /// The ref whose log leads to commits that no `prev` names.
    name: RefName,
    walk: Walk,
    next: Option<Cid>,
    /// The number of the last sweep at the start.
    sweep: u64,
}

impl fmt::Debug for PastCommits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastCommits")
            .field("ref", &self.name)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl<'r> History<'r> {
    /// Returns the commits from a revision backwards, or from the commit that the ref points to.
    ///
    /// The steps are those of `~1`: to the commit in `prev`, or to the one that the ref pointed to before. An
    /// unreadable commit that the log names is an item of its own, and the walk continues before it. Memory use does
    /// not grow with the history.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// repo.put(&"com.example.note/a".parse()?, &note)?;
    /// let commits: Vec<_> = repo.history().commits(None)?.collect::<Result<_, _>>()?;
    /// assert_eq!(commits.len(), 2);
    /// assert_eq!(commits[0].parent, Some(commits[1].cid));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] if the revision names no commit, and [`Error::NoCommit`] if the ref points to none. If the
    /// ref is missing but logged, its history is that of the last logged commit.
    pub fn commits(&self, from: Option<&Revision>) -> Result<PastCommits<'r>> {
        let view = self.parts.store.view()?;
        let Located { commit, name, walk } = match from {
            Some(from) => self.locate_in(view.as_ref(), from)?,
            None => {
                let commit = match self.parts.present_in(view.as_ref()) {
                    Err(Error::RefLost { target: Some(target), .. }) => target,
                    start => start?,
                };
                Located { commit, name: self.parts.name.clone(), walk: Walk::default() }
            }
        };
        let sweep = view.version().sweep;
        Ok(PastCommits { parts: self.parts, name, walk, next: Some(commit), sweep })
    }
}

impl PastCommits<'_> {
    fn advance(&mut self) -> Result<Option<PastCommit>> {
        // After an error, the iteration ends.
        let Some(cid) = self.next.take() else { return Ok(None) };
        let view = self.parts.store.view()?;
        let view = view.as_ref();
        let past = Back { view, name: &self.name };
        let WalkedCommit { commit, before: parent } = self.walk.step(&past, cid)?;
        let is_cut = match &commit {
            Ok(commit) => is_cut_before(self.parts, view, commit, parent)?,
            Err(_) => false,
        };
        // A sweep since the start may have deleted this commit, or those before it.
        let may_be_swept = commit.is_err() || (parent.is_none() && is_cut);
        if may_be_swept && view.version().sweep != self.sweep {
            return Err(ReadError::Swept { cid }.into());
        }
        self.next = parent;
        Ok(Some(PastCommit { cid, commit, parent, is_cut, arrival: arrival(view, cid)? }))
    }
}

impl Iterator for PastCommits<'_> {
    type Item = Result<PastCommit>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Returns the first log entry that brought a commit into the store.
fn arrival(view: &dyn View, commit: Cid) -> Result<Option<LogEntry>> {
    let mut found = None;
    view.log(&LogQuery::oldest_first().to(commit), &mut |row| {
        if matches!(row.event, Event::Set | Event::Reset | Event::Remove) {
            return ControlFlow::Continue(());
        }
        found = Some(row);
        ControlFlow::Break(())
    })?;
    Ok(found)
}
