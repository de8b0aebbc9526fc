//! The commit before another one, by its `prev`, or by the log or the revs.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::snapshot::read_commit;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::log::LogQuery;
use pds_store::ref_name::RefName;
use pds_store::store::View;

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

/// Where a walk finds commits: in a repository with the log of a ref, or in a CAR file.
pub(crate) trait Past {
    /// Reads a commit.
    fn commit(&self, cid: Cid) -> Result<Commit>;

    /// Returns whether a commit that is absent belongs to this history.
    fn is_recorded(&self, commit: Cid) -> Result<bool>;

    /// Returns the commits that may be before a commit whose `prev` leads nowhere, the best first.
    fn candidates(&self, commit: Cid, walk: &Walk) -> Result<Vec<Cid>>;
}

/// The steps from a commit to the one before it, again and again. Its size depends on the number of lost commits only.
///
/// No commit comes twice, so every walk ends. Steps by `prev` alone cannot lead back, because a commit names its `prev`
/// by hash. After the first other step, a commit must have a smaller rev than all before it. A lost commit must be new.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The smallest rev so far, `None` before the first readable commit.
    smallest: Option<Option<Tid>>,
    /// Whether a step was not by `prev`.
    has_jumped: bool,
    lost: HashSet<Cid>,
}

/// A commit of a walk.
pub(crate) struct WalkedCommit {
    /// The commit, or the reason why it cannot be read.
    pub(crate) commit: Result<Commit>,
    /// The commit before it.
    pub(crate) before: Option<Cid>,
}

impl Walk {
    /// Reads a commit, and finds the one before it: its `prev`, or else the first candidate. Both may be unreadable.
    ///
    /// # Errors
    ///
    /// [`Error`] if the store or the file cannot be read. A lost commit is part of the answer.
    pub(crate) fn step(&mut self, past: &dyn Past, cid: Cid) -> Result<WalkedCommit> {
        let commit = match past.commit(cid) {
            Err(error) if is_lost(&error) => {
                self.lost.insert(cid);
                Err(error)
            }
            commit => {
                let commit = commit?;
                let rev = commit.rev();
                self.smallest = Some(self.smallest.map_or(rev, |smallest| smallest.min(rev)));
                Ok(commit)
            }
        };
        let prev = commit.as_ref().ok().and_then(Commit::prev);
        Ok(WalkedCommit { commit, before: self.before(past, cid, prev)? })
    }

    fn before(&mut self, past: &dyn Past, cid: Cid, prev: Option<Cid>) -> Result<Option<Cid>> {
        if let Some(prev) = prev {
            let leads_on = match past.commit(prev) {
                Ok(earlier) => !self.has_jumped || self.is_earlier_rev(earlier.rev()),
                // It may have never been stored, or it was deleted.
                Err(Error::UnknownCommit(_)) if !past.is_recorded(prev)? => false,
                unread => self.is_new_loss(prev, unread)?,
            };
            if leads_on {
                return Ok(Some(prev));
            }
        }
        for before in past.candidates(cid, self)? {
            let leads_on = match past.commit(before) {
                Ok(earlier) => self.is_earlier_rev(earlier.rev()),
                unread => self.is_new_loss(before, unread)?,
            };
            if leads_on {
                self.has_jumped = true;
                return Ok(Some(before));
            }
        }
        Ok(None)
    }

    /// Returns whether a rev is smaller than those of all commits so far.
    pub(crate) fn is_earlier_rev(&self, rev: Option<Tid>) -> bool {
        self.smallest.is_none_or(|smallest| rev < smallest)
    }

    fn is_new_loss(&self, commit: Cid, unread: Result<Commit>) -> Result<bool> {
        match unread {
            Err(error) if !is_lost(&error) => Err(error),
            _ => Ok(!self.lost.contains(&commit)),
        }
    }
}

/// Returns the first commit of a walk whose rev is not after a time. Returns the error of a damaged commit if that may be
/// the one, and `None` if a missing one may be.
pub(crate) fn newest_until(past: &dyn Past, from: Cid, micros: u64) -> Result<Option<Cid>> {
    let (mut walk, mut at, mut lost) = (Walk::default(), Some(from), None);
    let mut found = None;
    while let Some(cid) = at.filter(|_| found.is_none()) {
        let walked = walk.step(past, cid)?;
        match walked.commit {
            Ok(commit) if commit.rev().and_then(Tid::rev_micros).is_some_and(|of| of <= micros) => {
                found = Some(cid);
            }
            // The unreadable commits after this one have later revs, too.
            Ok(_) => lost = None,
            Err(error) => lost = Some(error),
        }
        at = walked.before;
    }
    match lost {
        None => Ok(found),
        Some(error) if error.is_not_found() => Ok(None),
        Some(error) => Err(error),
    }
}

/// The past of a ref in one view: the commits that it pointed to, as the log records them.
#[derive(Clone, Copy)]
pub(crate) struct Back<'v> {
    pub(crate) view: &'v dyn View,
    pub(crate) name: &'v RefName,
}

impl Past for Back<'_> {
    fn commit(&self, cid: Cid) -> Result<Commit> {
        read_commit(self.view, cid)
    }

    /// Returns whether the ref has pointed to a commit.
    fn is_recorded(&self, commit: Cid) -> Result<bool> {
        let mut found = false;
        let query = LogQuery::newest_first().of(self.name.clone()).to(commit);
        self.view.log(&query, &mut |_| {
            found = true;
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Returns the commits that the ref pointed to just before it pointed to `commit`, the latest first.
    fn candidates(&self, commit: Cid, _: &Walk) -> Result<Vec<Cid>> {
        let mut before = Vec::new();
        let query = LogQuery::newest_first().of(self.name.clone()).to(commit);
        self.view.log(&query, &mut |row| {
            before.extend(row.before);
            ControlFlow::Continue(())
        })?;
        Ok(before)
    }
}
