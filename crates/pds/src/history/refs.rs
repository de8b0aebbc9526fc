//! Reads and moves of refs, and reads of the log.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::facts;
use crate::history::handle::History;
use crate::model::revision::Revision;
use crate::model::write::RecordChange;
use crate::parts::{check_name, empty_cid};
use crate::snapshot::read_commit;
use pds_core::commit::Commit;
use pds_core::data::block::ReadError;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::change::Change;
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit, Refs};
use pds_store::store::{View, latest_rows};

impl History<'_> {
    /// Moves the current ref to a commit that is in the store.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the ref does not point to the expected commit, [`Error::UnknownCommit`] or
    /// [`Error::Commit`] if the target is not a stored commit.
    pub fn set_head(&self, to: Cid, expect: Expect, message: &str) -> Result<()> {
        self.point(&self.parts.name, to, expect, Event::Reset, message)
    }

    /// Returns the refs with their commits, sorted by name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn refs(&self) -> Result<Vec<(RefName, Cid)>> {
        Ok(self.parts.store.view()?.refs()?.as_slice().to_vec())
    }

    /// Creates or moves any ref.
    ///
    /// # Errors
    ///
    /// As [`set_head`](Self::set_head).
    pub fn set_ref(&self, name: &RefName, to: Cid, expect: Expect, message: &str) -> Result<()> {
        self.point(name, to, expect, Event::Set, message)
    }

    /// Points a ref to a commit that is in the store.
    pub(crate) fn point(
        &self,
        name: &RefName,
        to: Cid,
        expect: Expect,
        event: Event,
        message: &str,
    ) -> Result<()> {
        check_name(name)?;
        let view = self.parts.store.view()?;
        read_commit(view.as_ref(), to)?;
        let found = view.refs()?.get(name);
        drop(view);
        if found == Some(to) && expect.holds(found) {
            // The ref does not move, so no log row is written. `@{1}` keeps its meaning.
            return Ok(());
        }
        let edit = RefEdit { name: name.clone(), target: Some(to), expect };
        let applied = self.parts.store.apply(Change::new(event).edit(edit).message(message));
        self.parts.caches.forget_base();
        match applied {
            // The commit was stored a moment ago, so a sweep has deleted it.
            Err(StoreError::TargetMissing { target, .. }) => {
                Err(ReadError::Swept { cid: target }.into())
            }
            applied => Ok(applied.map(drop)?),
        }
    }

    /// Removes a ref. Its commits stay until `gc` deletes them.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] if the ref does not exist.
    pub fn remove_ref(&self, name: &RefName) -> Result<Cid> {
        let found = self.parts.store.view()?.refs()?.get(name);
        let found = found.ok_or_else(|| Error::NoCommit(name.clone()))?;
        let edit = RefEdit { name: name.clone(), target: None, expect: Expect::Exactly(found) };
        self.parts.store.apply(Change::new(Event::Remove).edit(edit))?;
        self.parts.caches.forget_base();
        Ok(found)
    }

    /// Returns the latest rows of the log about the current ref, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn log(&self, limit: usize) -> Result<Vec<LogEntry>> {
        Ok(latest_rows(self.parts.store.view()?.as_ref(), &self.parts.name, limit)?)
    }

    /// Returns the changes between two commits, in key order. `None` is a repository without records.
    ///
    /// [`compare`](Self::compare) returns them one at a time.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCommit`], or [`Error::Mst`] if a tree cannot be read.
    pub fn changes(&self, before: Option<Cid>, after: Option<Cid>) -> Result<Vec<RecordChange>> {
        self.compare(before, after)?.changes().collect()
    }

    /// Returns the changes between two revisions, in key order.
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] if a revision names no commit; otherwise as [`changes`](Self::changes).
    pub fn diff(&self, before: &Revision, after: &Revision) -> Result<Vec<RecordChange>> {
        let view = self.parts.store.view()?;
        let [before, after] = [before, after].map(|at| self.resolve_in(view.as_ref(), at));
        drop(view);
        self.changes(Some(before?), Some(after?))
    }

    /// Returns the rev up to which states were deleted on purpose, or `None` without such a deletion.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn forgotten(&self) -> Result<Option<Tid>> {
        facts::forgotten(self.parts.store.view()?.as_ref())
    }

    /// Makes a TID that is greater than the rev of the head and every TID that this handle has made.
    ///
    /// # Errors
    ///
    /// [`Error`] if the store cannot be read.
    pub fn next_tid(&self) -> Result<Tid> {
        let view = self.parts.store.view()?;
        let head = view.refs()?.get(&self.parts.name);
        let head = head.map(|head| self.parts.commit_in(view.as_ref(), head)).transpose()?;
        let key_since = facts::key_since(view.as_ref())?;
        let rev = head.as_ref().and_then(Commit::rev).max(key_since);
        self.parts
            .clock
            .next(rev)
            .ok_or_else(|| Error::RevExhausted(head.as_ref().map_or_else(empty_cid, Commit::cid)))
    }
}

/// Returns the missing refs: refs in the log without an entry for their removal. Reads the whole log.
pub(crate) fn lost_refs(view: &dyn View, refs: &Refs) -> Result<Vec<(RefName, Cid)>> {
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
