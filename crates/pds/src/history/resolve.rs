//! The resolution of revisions to commits.

use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::facts::forgotten;
use crate::history::candidates::{with_cid, with_rev};
use crate::history::handle::History;
use crate::history::parent::{Back, Walk, newest_until};
use crate::model::revision::{Anchor, Revision, Word};
use crate::model::revision_error::{Candidate, RevisionError};
use crate::snapshot::{Snapshot, read_commit};
use pds_core::commit::CommitError;
use pds_core::data::cid::Cid;
use pds_core::syntax::datetime::Datetime;
use pds_store::log::LogQuery;
use pds_store::ref_name::RefName;
use pds_store::store::View;

/// The commit that a revision names.
pub(crate) struct Located {
    pub(crate) commit: Cid,
    /// The ref whose log leads to the commits before it.
    pub(crate) name: RefName,
    /// The steps of `~N` up to the commit.
    pub(crate) walk: Walk,
}

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
        Ok(self.locate_in(view, revision)?.commit)
    }

    /// Returns the commit that a revision names in one view, with all that the steps before it need.
    pub(crate) fn locate_in(&self, view: &dyn View, revision: &Revision) -> Result<Located> {
        let is_of_the_past =
            !matches!(revision, Revision { base: Anchor::Ref { moves: 0, .. }, back: 0, .. });
        self.find_revision(view, revision).map_err(|error| match (error, forgotten(view)) {
            (Error::Revision(mut error), Ok(Some(rev)))
                if is_of_the_past && error.candidates.is_empty() =>
            {
                error.reason = format!("{}; states up to rev {rev} were deleted", error.reason);
                error.into()
            }
            (error, _) => error,
        })
    }

    fn find_revision(&self, view: &dyn View, revision: &Revision) -> Result<Located> {
        let wrong = |reason: String| RevisionError::new(revision.as_typed(), reason);
        let (mut commit, name) = match &revision.base {
            Anchor::Commit(cid) => (*cid, &self.parts.name),
            Anchor::Ref { name, moves } => {
                let name = name.as_ref().unwrap_or(&self.parts.name);
                (self.ref_at(view, name, *moves, &wrong)?, name)
            }
            Anchor::RefAt { name, time } => {
                let name = name.as_ref().unwrap_or(&self.parts.name);
                (logged_at(view, name, time.micros)?.map_err(&wrong)?, name)
            }
            Anchor::Word(word) => self.find_word(view, word, &wrong)?,
        };
        read_commit(view, commit).map_err(|error| match error {
            Error::UnknownCommit(_) => wrong("the commit is not stored".to_owned()).into(),
            Error::Commit(CommitError::NotACommit { .. }) => {
                wrong("the block is not a commit".to_owned()).into()
            }
            error => error,
        })?;
        let (steps, mut walk) = (Back { view, name }, Walk::default());
        for back in 0..revision.back {
            let before = walk.step(&steps, commit)?.before;
            commit = before
                .ok_or_else(|| wrong(format!("{} has no parent", revision.with_back(back))))?;
        }
        Ok(Located { commit, name: name.clone(), walk })
    }

    /// Returns the commit that a word names, and the ref whose log leads to the commits before it.
    fn find_word<'w>(
        &'w self,
        view: &dyn View,
        word: &'w Word,
        wrong: &dyn Fn(String) -> RevisionError,
    ) -> Result<(Cid, &'w RefName)> {
        if let Some(name) = &word.name
            && let Some(commit) = view.refs()?.get(name)
        {
            return Ok((commit, name));
        }
        let (head, mut damage) = (&self.parts.name, None);
        let of_rev = || word.rev.as_ref().map(|rev| with_rev(view, rev));
        let of_cid = || word.cid.as_ref().map(|cid| with_cid(view, cid));
        for found in [&of_rev as &dyn Fn() -> Option<Result<Vec<Candidate>>>, &of_cid] {
            let found = match found() {
                // A damaged commit does not hide the other readings.
                Some(Err(error)) if error.is_corrupt() => {
                    damage.get_or_insert(error);
                    continue;
                }
                found => found.transpose()?.unwrap_or_default(),
            };
            match found.as_slice() {
                [] => {}
                [one] => return Ok((one.commit, head)),
                several => {
                    return Err(RevisionError::ambiguous(&word.text, several.to_vec()).into());
                }
            }
        }
        if let Some(micros) = word.micros {
            match self.newest_until(view, micros) {
                Ok(Ok(commit)) => return Ok((commit, head)),
                Ok(Err(reason)) if damage.is_none() => return Err(wrong(reason).into()),
                Ok(Err(_)) => {}
                Err(error) if error.is_corrupt() => _ = damage.get_or_insert(error),
                Err(error) => return Err(error),
            }
        }
        if let Some(name) = &word.name
            && let lost @ Error::RefLost { .. } = self.parts.on(name.clone()).absent(view)?
        {
            return Err(lost);
        }
        Err(match damage {
            Some(damage) => {
                Error::RevisionHidden { text: word.text.to_string(), source: Box::new(damage) }
            }
            None => wrong(word.no_match()).into(),
        })
    }

    /// Returns the newest state until a time, by the revs of the commits that `log` lists. If no rev tells, as where revs
    /// are counters, it is the commit that the ref pointed to.
    fn newest_until(&self, view: &dyn View, micros: u64) -> Result<Result<Cid, String>> {
        let name = &self.parts.name;
        let past = Back { view, name };
        let present = view.refs()?.get(name);
        match present.map(|present| newest_until(&past, present, micros)).transpose()?.flatten() {
            Some(commit) => Ok(Ok(commit)),
            None => logged_at(view, name, micros),
        }
    }

    fn ref_at(
        &self,
        view: &dyn View,
        name: &RefName,
        moves: u32,
        wrong: &dyn Fn(String) -> RevisionError,
    ) -> Result<Cid> {
        if moves == 0 {
            return self.parts.on(name.clone()).present_in(view).map_err(|error| match error {
                Error::NoCommit(_) => wrong(format!("no ref named {name}")).into(),
                error => error,
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
        })?;
        if count == 0 && view.refs()?.get(name).is_none() {
            return Err(wrong(format!("no ref named {name}")).into());
        }
        found.ok_or_else(|| {
            let moves = counted(count.into(), "move");
            wrong(format!("the log records only {moves} of {name}")).into()
        })
    }
}

/// Returns the commit that a ref pointed to at a time, as the log records it, or says why the log has no such commit.
fn logged_at(view: &dyn View, name: &RefName, micros: u64) -> Result<Result<Cid, String>> {
    let (mut found, mut first) = (None, None);
    view.log(&LogQuery::newest_first().of(name.clone()), &mut |row| {
        if row.at_micros > micros {
            first = Some(row.at_micros);
            return ControlFlow::Continue(());
        }
        found = Some(row.after);
        ControlFlow::Break(())
    })?;
    Ok(match (found, first) {
        (Some(Some(commit)), _) => Ok(commit),
        (Some(None), _) => Err(format!("the ref {name} had been removed at that time")),
        (None, Some(begin)) => {
            let second = begin - begin % MICROS_PER_SECOND;
            let begin = i64::try_from(second).ok().and_then(Datetime::from_unix_micros);
            let begin = begin.map_or_else(String::new, |begin| format!(", at {begin}"));
            Err(format!("{name} has no state until then, and its log begins later{begin}"))
        }
        (None, None) => Err(format!("no ref named {name}")),
    })
}

const MICROS_PER_SECOND: u64 = 1_000_000;

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
