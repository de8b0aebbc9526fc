//! The commit before another one, by its `prev` or by the log.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::snapshot::read_commit;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::log::LogQuery;
use pds_store::ref_name::RefName;
use pds_store::store::{View, has_sound};

pub(crate) fn commit_if_here(view: &dyn View, cid: Cid) -> Result<Option<Commit>> {
    match read_commit(view, cid) {
        Err(Error::UnknownCommit(_)) => Ok(None),
        commit => commit.map(Some),
    }
}

/// Returns whether an error means that a commit cannot be read, now or later.
pub(crate) fn is_lost(error: &Error) -> bool {
    error.is_corrupt() || error.is_not_found()
}

/// The commits that a walk has passed, as far as later steps depend on them. Its size depends on the number of lost
/// commits only.
///
/// A step by `prev` cannot lead back, because a commit names its `prev` by hash. A step by the log leads to a commit
/// with a smaller rev than all before it, or to a lost commit for the first time. So every walk ends.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The smallest rev so far, `None` before the first readable commit.
    smallest: Option<Option<Tid>>,
    lost: HashSet<Cid>,
}

impl Walk {
    /// Notes the rev of a commit.
    pub(crate) fn pass(&mut self, commit: &Commit) {
        let rev = commit.rev();
        self.smallest = Some(self.smallest.map_or(rev, |smallest| smallest.min(rev)));
    }

    /// Returns whether a commit has a smaller rev than all commits so far.
    pub(crate) fn is_earlier(&self, commit: &Commit) -> bool {
        self.is_earlier_rev(commit.rev())
    }

    /// Returns whether a rev is smaller than those of all commits so far.
    pub(crate) fn is_earlier_rev(&self, rev: Option<Tid>) -> bool {
        self.smallest.is_none_or(|smallest| rev < smallest)
    }
}

/// Steps from a commit to the one before it, in one view.
#[derive(Clone, Copy)]
pub(crate) struct Back<'v> {
    pub(crate) view: &'v dyn View,
    pub(crate) name: &'v RefName,
}

impl Back<'_> {
    /// Returns the `prev` of a commit. If it is not stored, returns the commit that the ref pointed to before it
    /// pointed to this one.
    ///
    /// Only commits with a smaller rev count, so that the steps end. A ref that was moved back pointed to a
    /// later commit before.
    pub(crate) fn before(&self, commit: Cid) -> Result<Option<Cid>> {
        let commit = read_commit(self.view, commit)?;
        if let Some(prev) = commit.prev()
            && has_sound(self.view, &prev)?
        {
            return Ok(Some(prev));
        }
        for before in self.arrivals(commit.cid())? {
            let before = commit_if_here(self.view, before)?;
            if let Some(before) = before.filter(|before| before.rev() < commit.rev()) {
                return Ok(Some(before.cid()));
            }
        }
        Ok(None)
    }

    /// Returns the commit before another one as [`before`](Self::before) does, also if one of them is logged
    /// but unreadable. For an unreadable commit, only the log has the one before it.
    ///
    /// `walk` has the commits between the start and this one. A commit that the walk has passed is not returned again.
    pub(crate) fn before_even_if_lost(&self, commit: Cid, walk: &mut Walk) -> Result<Option<Cid>> {
        match read_commit(self.view, commit) {
            Err(error) if is_lost(&error) => {
                if !walk.lost.insert(commit) {
                    return Ok(None);
                }
            }
            commit => {
                let commit = commit?;
                walk.pass(&commit);
                if let Some(prev) = commit.prev()
                    && self.is_known(prev)?
                {
                    return Ok(Some(prev));
                }
            }
        }
        for before in self.arrivals(commit)? {
            match read_commit(self.view, before) {
                Ok(earlier) if walk.is_earlier(&earlier) => return Ok(Some(before)),
                Ok(_) => {}
                Err(error) if is_lost(&error) && !walk.lost.contains(&before) => {
                    return Ok(Some(before));
                }
                Err(error) if is_lost(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Returns whether a commit is stored, or was stored and is unreadable now.
    fn is_known(&self, commit: Cid) -> Result<bool> {
        match read_commit(self.view, commit) {
            Ok(_) => Ok(true),
            // The commit may have never been stored, or it was deleted.
            Err(Error::UnknownCommit(_)) => self.is_logged(commit),
            Err(error) if is_lost(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Returns the commits that the ref pointed to just before it pointed to `commit`, the latest first.
    fn arrivals(&self, commit: Cid) -> Result<Vec<Cid>> {
        let mut before = Vec::new();
        let query = LogQuery::newest_first().of(self.name.clone()).to(commit);
        self.view.log(&query, &mut |row| {
            before.extend(row.before);
            ControlFlow::Continue(())
        })?;
        Ok(before)
    }

    /// Returns whether the ref has pointed to a commit.
    fn is_logged(&self, commit: Cid) -> Result<bool> {
        let mut found = false;
        let query = LogQuery::newest_first().of(self.name.clone()).to(commit);
        self.view.log(&query, &mut |_| {
            found = true;
            ControlFlow::Break(())
        })?;
        Ok(found)
    }
}
