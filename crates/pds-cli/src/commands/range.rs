//! The commits of a source, and those that a range leaves out.

use anyhow::Result;
use pds::data::Cid;
use pds::history::commits::PastCommit;
use pds::history::commits_in_file::commits_in_file;
use pds::syntax::Tid;
use pds::{Error, Revision};

use super::logged_commit::rev_of;
use crate::repository::open::Source;

/// The commits of a history, newest first.
pub(super) type Commits<'s> = Box<dyn Iterator<Item = Result<PastCommit, Error>> + 's>;

/// Returns the commits from a revision backwards.
pub(super) fn commits<'s>(source: &'s Source, at: Option<&Revision>) -> Result<Commits<'s>> {
    Ok(match source {
        Source::Repo(repo) => Box::new(repo.history().commits(at)?),
        Source::Car(car) => Box::new(commits_in_file(car.as_ref(), at)?),
    })
}

/// The history of the first state of a range, whose commits are left out.
pub(super) struct LeftOut<'s> {
    commits: Commits<'s>,
    /// The first state itself.
    start: Option<Cid>,
    next: Option<PastCommit>,
}

impl<'s> LeftOut<'s> {
    pub(super) fn new(mut commits: Commits<'s>) -> Result<Self> {
        let next = commits.next().transpose()?;
        let start = next.as_ref().map(|next| next.cid);
        Ok(Self { commits, start, next })
    }

    /// Tells whether a commit belongs to this history. Each call is for an older commit than the one before it.
    ///
    /// Revs decrease along both histories, so newer commits are passed over. In a chain where some do not, the first
    /// state still ends the range.
    pub(super) fn has(&mut self, cid: Cid, rev: Option<Tid>) -> Result<bool> {
        if self.start == Some(cid) {
            return Ok(true);
        }
        while let Some(next) = &self.next
            && next.cid != cid
            && rev.is_some_and(|rev| rev_of(next).is_none_or(|newer| newer > rev))
        {
            self.next = self.commits.next().transpose()?;
        }
        Ok(self.next.as_ref().is_some_and(|next| next.cid == cid))
    }
}
