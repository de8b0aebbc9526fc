//! The resolution of revisions to commits.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::facts::forgotten;
use crate::history::handle::History;
use crate::history::parent::{Back, commit_if_here};
use crate::model::revision::{Anchor, Revision, RevisionError};
use crate::snapshot::{Snapshot, read_commit};
use pds_core::commit::CommitError;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::log::LogQuery;
use pds_store::ref_name::RefName;
use pds_store::store::View;

impl History<'_> {
    /// Returns the commit that a revision names.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] if the revision names no commit.
    pub fn resolve(&self, revision: &Revision) -> Result<Cid> {
        self.resolve_in(self.parts.store.view()?.as_ref(), revision)
    }

    /// Returns the repository at a revision.
    pub(crate) fn checkout(&self, at: &Revision) -> Result<Snapshot> {
        let view = self.parts.store.view()?;
        let commit = self.parts.commit_in(view.as_ref(), self.resolve_in(view.as_ref(), at)?)?;
        Ok(self.parts.snapshot_of(commit, self.parts.moment_of(view.as_ref())?.blocks))
    }

    /// Returns the commit that a revision names in one view.
    pub(crate) fn resolve_in(&self, view: &dyn View, revision: &Revision) -> Result<Cid> {
        let is_of_the_past =
            !matches!(revision, Revision { base: Anchor::Ref { moves: 0, .. }, back: 0 });
        self.find_revision(view, revision).map_err(|error| match (error, forgotten(view)) {
            (Error::Revision(RevisionError { text, reason }), Ok(Some(rev))) if is_of_the_past => {
                let reason = format!("{reason}; states up to rev {rev} were deleted");
                RevisionError { text, reason }.into()
            }
            (error, _) => error,
        })
    }

    fn find_revision(&self, view: &dyn View, revision: &Revision) -> Result<Cid> {
        let wrong =
            |reason: String| Error::from(RevisionError { text: revision.to_string(), reason });
        let mut commit = match &revision.base {
            Anchor::Commit(cid) => *cid,
            Anchor::Ref { name, moves } => {
                let name = name.as_ref().unwrap_or(&self.parts.name);
                self.ref_at(view, name, *moves).map_err(|reason| match reason {
                    Missing::Because(reason) => wrong(reason),
                    Missing::Failed(error) => error,
                })?
            }
            Anchor::RefOrRev(name, rev) => match view.refs()?.get(name) {
                Some(cid) => cid,
                None => {
                    let found = find_rev(view, *rev)?;
                    found.ok_or_else(|| wrong(format!("no commit has rev {rev}")))?
                }
            },
        };
        read_commit(view, commit).map_err(|error| match error {
            Error::UnknownCommit(_) => wrong("the commit is not stored".to_owned()),
            Error::Commit(CommitError::NotACommit { .. }) => {
                wrong("the block is not a commit".to_owned())
            }
            error => error,
        })?;
        let name = match &revision.base {
            Anchor::Ref { name: Some(name), .. } | Anchor::RefOrRev(name, _) => name,
            Anchor::Ref { name: None, .. } | Anchor::Commit(_) => &self.parts.name,
        };
        let steps = Back { view, name };
        for back in 0..revision.back {
            commit = steps.before_even_if_lost(commit)?.ok_or_else(|| {
                let last = Revision { base: revision.base.clone(), back };
                wrong(format!("{last} has no parent"))
            })?;
        }
        Ok(commit)
    }

    fn ref_at(&self, view: &dyn View, name: &RefName, moves: u32) -> Result<Cid, Missing> {
        let failed = |error| Missing::Failed(Error::Store(error));
        if moves == 0 {
            let no_ref = || Missing::Because(format!("no ref named {name}"));
            return self.parts.on(name.clone()).present_in(view).map_err(|error| match error {
                Error::NoCommit(_) => no_ref(),
                error => Missing::Failed(error),
            });
        }
        // The log row of the n-th latest move names the commit before that move.
        let (mut count, mut found) = (0, None);
        view.log(&LogQuery::newest_first().of(name.clone()), &mut |row| {
            count += 1;
            if count < moves {
                return ControlFlow::Continue(());
            }
            found = row.before;
            ControlFlow::Break(())
        })
        .map_err(failed)?;
        found.ok_or_else(|| {
            let moves = counted(count.into(), "move");
            Missing::Because(format!("the log records only {moves} of {name}"))
        })
    }
}
/// Returns a commit with this rev from the history of each ref, or else from the log.
fn find_rev(view: &dyn View, rev: Tid) -> Result<Option<Cid>> {
    for (_, head) in &view.refs()? {
        let mut at = Some(*head);
        while let Some(commit) = at.map(|cid| commit_if_here(view, cid)).transpose()?.flatten() {
            match commit.rev().cmp(&Some(rev)) {
                Ordering::Equal => return Ok(Some(commit.cid())),
                // The commits before it have even smaller revs.
                Ordering::Less => break,
                Ordering::Greater => at = commit.prev(),
            }
        }
    }
    let (mut found, mut failed) = (None, None);
    view.log(&LogQuery::oldest_first(), &mut |row| {
        let commit = row.after.map(|cid| commit_if_here(view, cid)).transpose();
        match commit {
            Err(error) => failed = Some(error),
            Ok(commit) => {
                let commit = commit.flatten().filter(|commit| commit.rev() == Some(rev));
                found = commit.map(|commit| commit.cid());
            }
        }
        match found.is_some() || failed.is_some() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    failed.map_or(Ok(found), Err)
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

enum Missing {
    Because(String),
    Failed(Error),
}
