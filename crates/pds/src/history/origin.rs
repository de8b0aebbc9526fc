//! The origin of commits: signed here, or imported from elsewhere.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::facts;
use crate::history::ancestry::Arrivals;
use crate::history::handle::History;
use crate::parts::Parts;
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_store::event::Event;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::store::View;

impl History<'_> {
    /// Returns whether states before a log entry were purged, so that the changes of its commit are unknown. The ref
    /// points to `commit` after the entry.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub fn is_cut_before(&self, entry: &LogEntry, commit: &Commit) -> Result<bool> {
        let view = self.parts.store.view()?;
        is_cut(view.as_ref(), is_signature(&entry.event, commit.cid()), commit, entry.before)
    }
}

/// Returns whether states between a commit and the known state before it were purged.
pub(crate) fn is_cut_before(
    parts: &Parts,
    view: &dyn View,
    commit: &Commit,
    before: Option<Cid>,
) -> Result<bool> {
    let rows = Evidence::of(view, commit.cid())?;
    let is_signed = rows.is_signed || (rows.is_repaired && parts.signer.is_some());
    is_cut(view, is_signed && !rows.is_imported, commit, before)
}

fn is_cut(view: &dyn View, is_signed: bool, commit: &Commit, before: Option<Cid>) -> Result<bool> {
    // A commit that was signed here names the one before it. Any other commit follows what the ref pointed to.
    Ok(match before {
        before if is_signed => commit.prev() != before,
        Some(_) => false,
        None => facts::forgotten(view)?.is_some(),
    })
}

/// Returns whether an event signs the commit that the ref points to afterwards.
fn is_signature(event: &Event, commit: Cid) -> bool {
    match event {
        Event::Merge { other, .. } => *other != commit,
        Event::Import { .. } | Event::Repair | Event::Set | Event::Reset | Event::Remove => false,
        _ => true,
    }
}

/// What the rows of the log say about the origin of a commit.
#[derive(Clone, Copy, Default)]
struct Evidence {
    is_any: bool,
    is_signed: bool,
    is_repaired: bool,
    is_imported: bool,
}

impl Evidence {
    fn of(view: &dyn View, commit: Cid) -> Result<Self> {
        let mut rows = Self::default();
        view.log(&LogQuery::oldest_first().to(commit), &mut |row| {
            rows.is_any = true;
            match row.event {
                Event::Import { .. } => rows.is_imported = true,
                Event::Merge { other, .. } if other == commit => rows.is_imported = true,
                Event::Repair => rows.is_repaired = true,
                event => rows.is_signed |= is_signature(&event, commit),
            }
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    /// Returns whether a repository with these rows has a commit of its own: one that it signed, or one that it never
    /// imported. Evidence disappear, so only an import proves that another place has the commit.
    ///
    /// A mirror has no commits of its own, whatever rows it has copied. A copy with the key continues for its original.
    fn is_local(self, parts: &Parts) -> bool {
        parts.signer.is_some() && (self.is_signed || !self.is_imported)
    }
}

/// Returns whether a commit is this repository's own.
pub(crate) fn is_local(parts: &Parts, view: &dyn View, commit: Cid) -> Result<bool> {
    Ok(Evidence::of(view, commit)?.is_local(parts))
}

/// Returns the event for a move of a ref to a commit.
///
/// A move to a known local commit is no import and no merge: later, its row may be the only one, and the commit would
/// count as foreign. An event that names a key stays as it is.
pub(crate) fn event_of_move(parts: &Parts, commit: Cid, event: Event) -> Result<Event> {
    let brings = match &event {
        Event::Import { key, .. } => key.is_none(),
        Event::Merge { other, key } => *other == commit && key.is_none(),
        _ => false,
    };
    let rows = Evidence::of(parts.store.view()?.as_ref(), commit)?;
    Ok(if brings && rows.is_any && rows.is_local(parts) { Event::Set } else { event })
}

/// Returns the commits from elsewhere that a local commit is based on: those that its line of local commits
/// begins with, and those that were merged into the line. Commits that are no longer stored are left out.
pub(crate) fn foreign_bases(
    parts: &Parts,
    view: &dyn View,
    blocks: &dyn Blocks,
    local: &Commit,
) -> Result<Vec<Commit>> {
    let (mut found, mut seen) = (Vec::new(), HashSet::from([local.cid()]));
    let mut waiting = vec![local.clone()];
    while let Some(commit) = waiting.pop() {
        for before in known_before(view, &commit, blocks)? {
            if !seen.insert(before.cid()) {
                continue;
            }
            match is_local(parts, view, before.cid())? {
                true => waiting.push(before),
                false => found.push(before),
            }
        }
    }
    Ok(found)
}

/// The relation of a commit to an earlier one, as `prev` and the merges in the log show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descent {
    /// The commit descends from the other one.
    Known,
    /// No commit in its history is the other one.
    Excluded,
    /// A commit in its history is not known.
    Unknown,
}

/// Returns whether a commit descends from another one. A commit without `prev`, as most servers sign it, ends the
/// search.
pub(crate) fn descent(
    view: &dyn View,
    blocks: &dyn Blocks,
    commit: &Commit,
    from: &Commit,
) -> Result<Descent> {
    let (mut waiting, mut seen) = (vec![commit.clone()], HashSet::new());
    let mut is_complete = true;
    while let Some(commit) = waiting.pop() {
        if commit.prev() == Some(from.cid()) {
            return Ok(Descent::Known);
        }
        let before = known_before(view, &commit, blocks)?;
        is_complete &= commit.prev().is_none_or(|prev| before.iter().any(|b| b.cid() == prev));
        for before in before {
            if before.cid() == from.cid() {
                return Ok(Descent::Known);
            }
            // A parent has a smaller rev than its children.
            if before.rev() > from.rev() && seen.insert(before.cid()) {
                waiting.push(before);
            }
        }
    }
    Ok(if is_complete { Descent::Excluded } else { Descent::Unknown })
}

/// Returns the known parents of a commit; a parent that cannot be read is unknown.
fn known_before(view: &dyn View, commit: &Commit, blocks: &dyn Blocks) -> Result<Vec<Commit>> {
    match Arrivals(view).before(commit, blocks) {
        Err(error) if error.is_corrupt() => Ok(Vec::new()),
        before => before,
    }
}
