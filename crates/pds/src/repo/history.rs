//! Refs, their history, and the changes between states.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::ControlFlow;

use super::collect::forgotten;
use super::revision::Base;
use super::snapshot::{read_commit, record_changes};
use super::{Error, RecordChange, Repo, Result, Revision};
use crate::commit::{Commit, CommitError};
use crate::data::{Cid, ReadError};
use crate::mst;
use crate::store::{
    Change, Event, Expect, LogEntry, LogQuery, RefEdit, RefName, Refs, StoreError, View, has_sound,
    latest_rows,
};
use crate::syntax::Tid;

impl Repo {
    /// Returns the commit that the current ref names; `None` before the first, and where the ref is lost: whatever needs
    /// it, [`init`](Self::init) too, then says so.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn head(&self) -> Result<Option<Cid>> {
        Ok(self.store.view()?.refs()?.get(&self.name))
    }

    /// Returns the commit that the current ref points to, where there must be one.
    pub(super) fn present_in(&self, view: &dyn View) -> Result<Cid> {
        view.refs()?.get(&self.name).map_or_else(|| Err(self.absent(view)?), Ok)
    }

    /// Returns the reason why the current ref is not there: it was never made, it was removed, or it is lost.
    pub(super) fn absent(&self, view: &dyn View) -> Result<Error> {
        let name = self.name.clone();
        let newest = latest_rows(view, &self.name, 1)?.pop().map(|row| row.after);
        let is_lost = match newest {
            Some(stood) => stood.is_some(),
            None => name == RefName::head() && self.has_blocks()? && lacks_refs(view)?,
        };
        Ok(match newest.flatten() {
            stood if is_lost => Error::RefLost { name, stood },
            _ => Error::NoCommit(name),
        })
    }

    fn has_blocks(&self) -> Result<bool> {
        match self.store.maintain() {
            Some(maintain) => Ok(maintain.block_count()? > 0),
            None => Ok(false),
        }
    }

    /// Checks that the current ref, which is not there, may be made: a lost ref is found again first.
    pub(super) fn may_begin(&self, view: &dyn View) -> Result<()> {
        check_name(&self.name)?;
        match self.absent(view)? {
            lost @ Error::RefLost { .. } => Err(lost),
            _ => Ok(()),
        }
    }

    /// Moves the current ref to a commit that is in the store.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the ref does not stand where it is expected, [`Error::UnknownCommit`]
    /// or [`Error::Commit`] when there is no such commit.
    pub fn set_head(&self, to: Cid, expect: Expect, message: &str) -> Result<()> {
        self.point(&self.name, to, expect, Event::Reset, message)
    }

    /// Lists the refs, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn refs(&self) -> Result<Vec<(RefName, Cid)>> {
        Ok(self.store.view()?.refs()?.entries.to_vec())
    }

    /// Makes or moves any ref.
    ///
    /// # Errors
    ///
    /// As [`set_head`](Self::set_head).
    pub fn set_ref(&self, name: &RefName, to: Cid, expect: Expect, message: &str) -> Result<()> {
        self.point(name, to, expect, Event::Set, message)
    }

    /// Points a ref to a commit that is in the store.
    pub(super) fn point(
        &self,
        name: &RefName,
        to: Cid,
        expect: Expect,
        event: Event,
        message: &str,
    ) -> Result<()> {
        check_name(name)?;
        let view = self.store.view()?;
        read_commit(view.as_ref(), to)?;
        let found = view.refs()?.get(name);
        drop(view);
        if found == Some(to) && expect.holds(found) {
            // No move, so no row in the log: `@{1}` stays where the ref came from.
            return Ok(());
        }
        let edit = RefEdit { name: name.clone(), target: Some(to), expect };
        let applied = self.store.apply(Change::new(event).edit(edit).message(message));
        self.remembered.forget_base();
        match applied {
            // It was here a moment ago.
            Err(StoreError::TargetMissing { target, .. }) => {
                Err(ReadError::Swept { cid: target }.into())
            }
            applied => Ok(applied.map(drop)?),
        }
    }

    /// Removes a ref; the commits stay until they are collected.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] when there is no such ref.
    pub fn remove_ref(&self, name: &RefName) -> Result<Cid> {
        let found = self.store.view()?.refs()?.get(name);
        let found = found.ok_or_else(|| Error::NoCommit(name.clone()))?;
        let edit = RefEdit { name: name.clone(), target: None, expect: Expect::Exactly(found) };
        self.store.apply(Change::new(Event::Remove).edit(edit))?;
        self.remembered.forget_base();
        Ok(found)
    }

    /// Returns the latest rows of the log about the current ref, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn log(&self, limit: usize) -> Result<Vec<LogEntry>> {
        Ok(latest_rows(self.store.view()?.as_ref(), &self.name, limit)?)
    }

    /// Lists what changed between two commits, in key order; `None` is a repository without records.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCommit`], or [`Error::Mst`] when a tree cannot be read.
    pub fn changes(&self, before: Option<Cid>, after: Option<Cid>) -> Result<Vec<RecordChange>> {
        let blocks = self.reading()?;
        let data = |commit: Option<Cid>| -> Result<Option<Cid>> {
            commit.map(|cid| Ok(self.commit_in(blocks.as_ref(), cid)?.data())).transpose()
        };
        let diff = mst::diff(blocks.as_ref(), data(before)?, data(after)?);
        record_changes(diff.cached(self.remembered.nodes().as_ref())).collect()
    }

    /// Returns what changed between two revisions, in key order.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] when there is no such revision; otherwise as
    /// [`changes`](Self::changes).
    pub fn diff(&self, before: &Revision, after: &Revision) -> Result<Vec<RecordChange>> {
        let view = self.store.view()?;
        let [before, after] = [before, after].map(|at| self.resolve_in(view.as_ref(), at));
        drop(view);
        self.changes(Some(before?), Some(after?))
    }

    /// Finds the commit that a revision names.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] when there is none.
    pub fn resolve(&self, revision: &Revision) -> Result<Cid> {
        self.resolve_in(self.store.view()?.as_ref(), revision)
    }

    /// As [`resolve`](Self::resolve), at one moment.
    pub(super) fn resolve_in(&self, view: &dyn View, revision: &Revision) -> Result<Cid> {
        let is_of_the_past =
            !matches!(revision, Revision { base: Base::Ref { moves: 0, .. }, back: 0 });
        self.find_revision(view, revision).map_err(|error| match (error, forgotten(view)) {
            (Error::Revision { text, reason }, Ok(Some(rev))) if is_of_the_past => {
                let reason = format!("{reason}; states up to rev {rev} have been forgotten");
                Error::Revision { text, reason }
            }
            (error, _) => error,
        })
    }

    fn find_revision(&self, view: &dyn View, revision: &Revision) -> Result<Cid> {
        let wrong = |reason: String| Error::Revision { text: revision.to_string(), reason };
        let mut commit = match &revision.base {
            Base::Commit(cid) => *cid,
            Base::Ref { name, moves } => {
                let name = name.as_ref().unwrap_or(&self.name);
                self.ref_at(view, name, *moves).map_err(|reason| match reason {
                    Missing::Because(reason) => wrong(reason),
                    Missing::Failed(error) => error,
                })?
            }
            Base::RefOrRev(name, rev) => match view.refs()?.get(name) {
                Some(cid) => cid,
                None => {
                    let found = find_rev(view, *rev)?;
                    found.ok_or_else(|| wrong(format!("no commit has rev {rev}")))?
                }
            },
        };
        read_commit(view, commit).map_err(|error| match error {
            Error::UnknownCommit(_) => wrong("no such commit here".to_owned()),
            Error::Commit(CommitError::NotACommit { .. }) => {
                wrong("this block is not a commit".to_owned())
            }
            error => error,
        })?;
        let name = match &revision.base {
            Base::Ref { name: Some(name), .. } | Base::RefOrRev(name, _) => name,
            Base::Ref { name: None, .. } | Base::Commit(_) => &self.name,
        };
        let steps = Back { view, name };
        for step in 0..revision.back {
            commit = steps.before_even_if_lost(commit)?.ok_or_else(|| {
                wrong(format!("history goes back {} only", counted(step.into(), "commit")))
            })?;
        }
        Ok(commit)
    }

    fn ref_at(&self, view: &dyn View, name: &RefName, moves: u32) -> Result<Cid, Missing> {
        let failed = |error| Missing::Failed(Error::Store(error));
        if moves == 0 {
            let there_is_none = || Missing::Because(format!("there is no ref {name}"));
            return self.on(name.clone()).present_in(view).map_err(|error| match error {
                Error::NoCommit(_) => there_is_none(),
                error => Missing::Failed(error),
            });
        }
        // The row of the n-th move from the end names the commit before it.
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
            Missing::Because(format!("the log tells of {moves} of {name} only"))
        })
    }
}

/// Looks for a commit with this rev: on the way back from each ref, and in the log.
fn find_rev(view: &dyn View, rev: Tid) -> Result<Option<Cid>> {
    for (_, head) in &view.refs()? {
        let mut at = Some(*head);
        while let Some(commit) = at.map(|cid| commit_if_here(view, cid)).transpose()?.flatten() {
            match commit.rev().cmp(&Some(rev)) {
                Ordering::Equal => return Ok(Some(commit.cid())),
                // Those before it are earlier still.
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

fn commit_if_here(view: &dyn View, cid: Cid) -> Result<Option<Commit>> {
    match read_commit(view, cid) {
        Err(Error::UnknownCommit(_)) => Ok(None),
        commit => commit.map(Some),
    }
}

/// Tells whether refs must be lost where there are blocks: the log is empty, or there is no ref at all
/// and the newest row in it is no removal.
///
/// Otherwise a ref without a row was never made, or was removed and its rows were deleted.
pub(super) fn lacks_refs(view: &dyn View) -> Result<bool> {
    let mut newest = None;
    view.log(&LogQuery::newest_first(), &mut |row| {
        newest = Some(row);
        ControlFlow::Break(())
    })?;
    match newest {
        None => Ok(true),
        Some(row) => Ok(row.after.is_some() && view.refs()?.is_empty()),
    }
}

/// Finds refs that are gone, and that the log does not say were removed. Reads the whole log.
pub(super) fn lost_refs(view: &dyn View, refs: &Refs) -> Result<Vec<(RefName, Cid)>> {
    let (mut seen, mut lost) = (HashSet::new(), Vec::new());
    view.log(&LogQuery::newest_first(), &mut |row| {
        let is_newest = seen.insert(row.name.clone());
        if let Some(after) = row.after.filter(|_| is_newest && refs.get(&row.name).is_none()) {
            lost.push((row.name, after));
        }
        ControlFlow::Continue(())
    })?;
    Ok(lost)
}

/// Refuses a name for a ref by which a revision would find a commit instead.
fn check_name(name: &RefName) -> Result<()> {
    let text = name.as_str();
    if text.parse::<Cid>().is_ok() || text.parse::<Tid>().is_ok() {
        let (text, reason) = (text.to_owned(), "a ref cannot be named like a commit".to_owned());
        return Err(Error::Revision { text, reason });
    }
    Ok(())
}

/// The way back from one commit to the one before it, at one moment.
#[derive(Clone, Copy)]
pub(super) struct Back<'v> {
    pub(super) view: &'v dyn View,
    pub(super) name: &'v RefName,
}

impl Back<'_> {
    /// Returns the commit that this one names in `prev`, or, if that is not stored, the commit that the ref
    /// pointed to before it came to this one.
    ///
    /// A ref that was moved back pointed to something later before: only earlier commits count, so that the
    /// way back ends.
    pub(super) fn before(&self, commit: Cid) -> Result<Option<Cid>> {
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

    /// As [`before`](Self::before), also of and to a commit that the log knows of and that cannot be
    /// read. Of such a commit only the log knows the one before it.
    pub(super) fn before_even_if_lost(&self, commit: Cid) -> Result<Option<Cid>> {
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
                // It may never have been here, or have been deleted.
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

    /// Returns the commits that the ref pointed to before it came to a commit, the latest arrival first.
    fn arrivals(&self, commit: Cid) -> Result<Vec<Cid>> {
        let mut before = Vec::new();
        let query = LogQuery::newest_first().of(self.name.clone()).to(commit);
        self.view.log(&query, &mut |row| {
            before.extend(row.before);
            ControlFlow::Continue(())
        })?;
        Ok(before)
    }

    /// Tells whether the ref has pointed to a commit.
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

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

enum Missing {
    Because(String),
    Failed(Error),
}
