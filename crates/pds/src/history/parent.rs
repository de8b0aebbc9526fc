//! The commit before another one, by its `prev` or by the log.

use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::snapshot::read_commit;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_store::log::LogQuery;
use pds_store::ref_name::RefName;
use pds_store::store::{View, has_sound};

pub(crate) fn commit_if_here(view: &dyn View, cid: Cid) -> Result<Option<Commit>> {
    match read_commit(view, cid) {
        Err(Error::UnknownCommit(_)) => Ok(None),
        commit => commit.map(Some),
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
    pub(crate) fn before_even_if_lost(&self, commit: Cid) -> Result<Option<Cid>> {
        let is_lost = |error: &Error| error.is_corrupt() || error.is_not_found();
        let commit = match read_commit(self.view, commit) {
            Err(error) if is_lost(&error) => {
                return Ok(self.arrivals(commit)?.first().copied());
            }
            commit => commit?,
        };
        if let Some(prev) = commit.prev() {
            let is_known = match read_commit(self.view, prev) {
                Ok(_) => true,
                // The commit may have never been stored, or it was deleted.
                Err(Error::UnknownCommit(_)) => self.is_logged(prev)?,
                Err(error) if is_lost(&error) => true,
                Err(error) => return Err(error),
            };
            if is_known {
                return Ok(Some(prev));
            }
        }
        for before in self.arrivals(commit.cid())? {
            match read_commit(self.view, before) {
                Ok(earlier) if earlier.rev() < commit.rev() => return Ok(Some(before)),
                Ok(_) => {}
                Err(error) if is_lost(&error) => return Ok(Some(before)),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
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
