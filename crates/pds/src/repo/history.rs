//! Where refs stand, where they stood, and what changed.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::revision::Base;
use super::snapshot::record_changes;
use super::{Error, RecordChange, Repo, Result, Revision};
use crate::commit::{Commit, CommitError};
use crate::data::Cid;
use crate::mst;
use crate::store::{Expect, LogEntry, RefEdit, RefName, Refs, StoreError};
use crate::syntax::Tid;

impl Repo {
    /// Returns the commit that the current ref names; `None` before the first, and where the ref is lost: whatever needs
    /// it, [`init`](Self::init) too, then says so.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn head(&self) -> Result<Option<Cid>> {
        Ok(self.store.get_ref(&self.name)?)
    }

    /// Returns the commit that the current ref names, where there must be one.
    pub(super) fn present(&self) -> Result<Cid> {
        self.head()?.map_or_else(|| Err(self.absent()?), Ok)
    }

    /// Tells why the current ref is not there: it was never made, it was removed, or it is lost.
    pub(super) fn absent(&self) -> Result<Error> {
        let name = self.name.clone();
        let newest = self.store.log(&self.name, 1)?.pop().map(|row| row.after);
        let is_lost = match newest {
            Some(stood) => stood.is_some(),
            None => {
                name == RefName::head() && self.store.block_count()? > 0 && self.lacks_refs()?
            }
        };
        // Whoever makes it meanwhile leaves a row in the log too: then it was only not there yet.
        let is_lost = is_lost && self.head()?.is_none();
        Ok(match newest.flatten() {
            stood if is_lost => Error::RefLost { name, stood },
            _ => Error::NoCommit(name),
        })
    }

    /// Checks that the current ref, which is not there, may be made: one that is lost is not, since what it stood at is
    /// to be found first.
    pub(super) fn may_begin(&self) -> Result<()> {
        check_name(&self.name)?;
        match self.absent()? {
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
    pub fn set_head(&self, to: Cid, expect: Expect, note: &str) -> Result<()> {
        self.set_ref(&self.name, to, expect, note)
    }

    /// Lists the refs, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn refs(&self) -> Result<Vec<(RefName, Cid)>> {
        Ok(self.store.refs()?.entries)
    }

    /// Makes or moves any ref.
    ///
    /// # Errors
    ///
    /// As [`set_head`](Self::set_head).
    pub fn set_ref(&self, name: &RefName, to: Cid, expect: Expect, note: &str) -> Result<()> {
        self.commit_at(to)?;
        check_name(name)?;
        let stands = self.store.get_ref(name)?;
        if stands == Some(to) && expect.holds(stands) {
            // No move, so no row in the log: `@{1}` stays where the ref came from.
            return Ok(());
        }
        let edit = RefEdit { name: name.clone(), target: Some(to), expect };
        self.store.apply(&mut std::iter::empty(), &[edit], note)?;
        Ok(())
    }

    /// Removes a ref; the commits stay until they are collected.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] when there is no such ref.
    pub fn remove_ref(&self, name: &RefName) -> Result<Cid> {
        let stands = self.store.get_ref(name)?.ok_or_else(|| Error::NoCommit(name.clone()))?;
        let edit = RefEdit { name: name.clone(), target: None, expect: Expect::Exactly(stands) };
        self.store.apply(&mut std::iter::empty(), &[edit], "ref rm")?;
        Ok(stands)
    }

    /// Returns the latest moves of the current ref, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn log(&self, limit: usize) -> Result<Vec<LogEntry>> {
        Ok(self.store.log(&self.name, limit)?)
    }

    /// Iterates over what changed between two commits, in key order; `None` is a repository without
    /// records.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCommit`], or [`Error::Mst`] when a tree cannot be read.
    pub fn changes(
        &self,
        before: Option<Cid>,
        after: Option<Cid>,
    ) -> Result<impl Iterator<Item = Result<RecordChange>> + use<'_>> {
        let data = |commit: Option<Cid>| -> Result<Option<Cid>> {
            commit.map(|cid| Ok(self.commit_at(cid)?.data())).transpose()
        };
        let diff = mst::diff(self.store.as_ref(), data(before)?, data(after)?);
        Ok(record_changes(diff.cached(self.remembered.nodes().as_ref())))
    }

    /// Returns what changed between two revisions, in key order.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] when there is no such revision; otherwise as
    /// [`changes`](Self::changes).
    pub fn diff(&self, before: &Revision, after: &Revision) -> Result<Vec<RecordChange>> {
        self.changes(Some(self.resolve(before)?), Some(self.resolve(after)?))?.collect()
    }

    /// Finds the commit that a revision names.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] when there is none.
    pub fn resolve(&self, revision: &Revision) -> Result<Cid> {
        let is_of_the_past =
            !matches!(revision, Revision { base: Base::Ref { moves: 0, .. }, back: 0 });
        self.find_revision(revision).map_err(|error| match (error, self.forgotten()) {
            (Error::Revision { text, reason }, Ok(Some(rev))) if is_of_the_past => {
                let reason = format!("{reason}; states up to rev {rev} have been forgotten");
                Error::Revision { text, reason }
            }
            (error, _) => error,
        })
    }

    fn find_revision(&self, revision: &Revision) -> Result<Cid> {
        let wrong = |reason: String| Error::Revision { text: revision.to_string(), reason };
        let mut commit = match &revision.base {
            Base::Commit(cid) => *cid,
            Base::Ref { name, moves } => {
                let name = name.as_ref().unwrap_or(&self.name);
                self.ref_at(name, *moves).map_err(|reason| match reason {
                    Missing::Because(reason) => wrong(reason),
                    Missing::Failed(error) => error,
                })?
            }
            Base::RefOrRev(name, rev) => match self.store.get_ref(name)? {
                Some(cid) => cid,
                None => {
                    self.find_rev(*rev)?.ok_or_else(|| wrong(format!("no commit has rev {rev}")))?
                }
            },
        };
        self.commit_at(commit).map_err(|error| match error {
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
        let mut steps = Back::on(self, name);
        for step in 0..revision.back {
            commit = steps.before_even_if_lost(commit)?.ok_or_else(|| {
                wrong(format!("history goes back {} only", counted(step.into(), "commit")))
            })?;
        }
        Ok(commit)
    }

    fn ref_at(&self, name: &RefName, moves: u32) -> Result<Cid, Missing> {
        let failed = |error| Missing::Failed(Error::Store(error));
        if moves == 0 {
            let there_is_none = || Missing::Because(format!("there is no ref {name}"));
            return self.on(name.clone()).present().map_err(|error| match error {
                Error::NoCommit(_) => there_is_none(),
                error => Missing::Failed(error),
            });
        }
        // The row of the n-th move from the end says where the ref stood before it.
        let log = self.store.log(name, moves as usize).map_err(failed)?;
        let row = log.get(moves as usize - 1);
        row.and_then(|row| row.before).ok_or_else(|| {
            let moves = counted(log.len() as u64, "move");
            Missing::Because(format!("the log tells of {moves} of {name} only"))
        })
    }

    /// Looks for a commit with this rev: on the way back from each ref, and where refs have stood.
    fn find_rev(&self, rev: Tid) -> Result<Option<Cid>> {
        for (_, head) in self.refs()? {
            let mut at = Some(head);
            while let Some(commit) = at.map(|cid| self.commit_if_here(cid)).transpose()?.flatten() {
                match commit.rev().cmp(&Some(rev)) {
                    Ordering::Equal => return Ok(Some(commit.cid())),
                    // Those before it are earlier still.
                    Ordering::Less => break,
                    Ordering::Greater => at = commit.prev(),
                }
            }
        }
        for cid in self.moves()?.into_iter().filter_map(|row| row.after) {
            let commit = self.commit_if_here(cid)?;
            if commit.is_some_and(|commit| commit.rev() == Some(rev)) {
                return Ok(Some(cid));
            }
        }
        Ok(None)
    }

    fn commit_if_here(&self, cid: Cid) -> Result<Option<Commit>> {
        match self.commit_at(cid) {
            Err(Error::UnknownCommit(_)) => Ok(None),
            commit => commit.map(Some),
        }
    }

    /// Tells whether refs must be lost where there are blocks: the log is empty, or there is no ref at all
    /// and the newest move in it is no removal.
    ///
    /// Otherwise a ref without a row was never made, or was removed and its rows were let go.
    pub(super) fn lacks_refs(&self) -> Result<bool> {
        match self.store.moves()?.pop() {
            None => Ok(true),
            Some(row) => Ok(row.after.is_some() && self.refs()?.is_empty()),
        }
    }

    /// Returns all moves of every ref, also of those that were removed, the oldest first: what these
    /// stood at stays as long as the log tells of it.
    pub(super) fn moves(&self) -> Result<Vec<LogEntry>> {
        Ok(self.store.moves()?)
    }

    /// Returns all refs, and all moves that have led to where they stand.
    pub(super) fn refs_and_moves(&self) -> Result<(Refs, Vec<LogEntry>)> {
        for _ in 0..MAX_LOOKS {
            let refs = self.store.refs()?;
            let mut moves = self.store.moves()?;
            // What has been moved since is of a later moment.
            moves.retain(|row| row.seq <= refs.version);
            // Where the row of this version is gone, the log has been told anew in between.
            if moves.last().map_or(0, |row| row.seq) == refs.version {
                return Ok((refs, moves));
            }
        }
        Err(StoreError::Changed.into())
    }
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

/// The way back from one commit to the one before it.
pub(super) struct Back<'r> {
    repo: &'r Repo,
    name: &'r RefName,
    /// Where the ref stood before it came to a commit, read when it is first needed.
    arrivals: Option<HashMap<Cid, Vec<Cid>>>,
}

impl<'r> Back<'r> {
    pub(super) fn on(repo: &'r Repo, name: &'r RefName) -> Self {
        Self { repo, name, arrivals: None }
    }

    /// Returns the commit that this one names, or, where it names none that is here, the one that
    /// the ref stood at before it came to this one.
    ///
    /// A ref that was moved back stood at something later before: only what is earlier counts, so
    /// that the way back ends.
    pub(super) fn before(&mut self, commit: Cid) -> Result<Option<Cid>> {
        let commit = self.repo.commit_at(commit)?;
        if let Some(prev) = commit.prev()
            && self.repo.store.get(&prev)?.is_some()
        {
            return Ok(Some(prev));
        }
        for before in self.stood_before(commit.cid())? {
            let before = self.repo.commit_if_here(before)?;
            if let Some(before) = before.filter(|before| before.rev() < commit.rev()) {
                return Ok(Some(before.cid()));
            }
        }
        Ok(None)
    }

    /// As [`before`](Self::before), also of and to a commit that the log knows of and that cannot be
    /// read. Of one that cannot, only the log says what stood before it.
    pub(super) fn before_even_if_lost(&mut self, commit: Cid) -> Result<Option<Cid>> {
        let is_lost = |error: &Error| error.is_corrupt() || error.is_not_found();
        let commit = match self.repo.commit_at(commit) {
            Err(error) if is_lost(&error) => {
                return Ok(self.stood_before(commit)?.first().copied());
            }
            commit => commit?,
        };
        if let Some(prev) = commit.prev() {
            let is_known = match self.repo.commit_at(prev) {
                Ok(_) => true,
                // It may never have been here, or have been let go.
                Err(Error::UnknownCommit(_)) => self.is_logged(prev)?,
                Err(error) if is_lost(&error) => true,
                Err(error) => return Err(error),
            };
            if is_known {
                return Ok(Some(prev));
            }
        }
        for before in self.stood_before(commit.cid())? {
            match self.repo.commit_at(before) {
                Ok(earlier) if earlier.rev() < commit.rev() => return Ok(Some(before)),
                Ok(_) => {}
                Err(error) if is_lost(&error) => return Ok(Some(before)),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Returns where the ref stood before it came to a commit, the latest arrival first.
    fn stood_before(&mut self, commit: Cid) -> Result<Vec<Cid>> {
        Ok(self.arrivals()?.get(&commit).cloned().unwrap_or_default())
    }

    /// Tells whether the log says that the ref has stood at a commit.
    fn is_logged(&mut self, commit: Cid) -> Result<bool> {
        let arrivals = self.arrivals()?;
        Ok(arrivals.iter().any(|(after, before)| *after == commit || before.contains(&commit)))
    }

    fn arrivals(&mut self) -> Result<&HashMap<Cid, Vec<Cid>>> {
        Ok(match &mut self.arrivals {
            Some(arrivals) => arrivals,
            none => none.insert(arrivals(self.repo.store.log(self.name, usize::MAX)?)),
        })
    }
}

/// Where a ref stood before it came to each commit, the latest arrival first.
fn arrivals(rows: Vec<LogEntry>) -> HashMap<Cid, Vec<Cid>> {
    let mut arrivals: HashMap<Cid, Vec<Cid>> = HashMap::new();
    for (before, after) in rows.into_iter().filter_map(|row| row.before.zip(row.after)) {
        arrivals.entry(after).or_default().push(before);
    }
    arrivals
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

enum Missing {
    Because(String),
    Failed(Error),
}

/// How often the refs and the log are read while others tell the log anew.
const MAX_LOOKS: usize = 10;
