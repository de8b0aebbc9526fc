//! The deletion of states: marks what the remaining log rows reach, and sweeps all other blocks.

use std::cell::RefCell;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::facts;
use crate::reading::Reading;
use crate::retain::collection::{Collected, Collection, Drafted};
use crate::retain::handle::Retain;
use crate::retain::mark::{BlobsOf, Marked};
use crate::retain::reach::{Coverage, Later};
use pds_core::data::cid::Cid;
use pds_store::change::Change;
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::log::LogEntry;
use pds_store::refs::Refs;
use pds_store::sweep::{Fate, Sweep, SweptBlocks};
use pds_store::version::Version;

impl Retain<'_> {
    /// Marks live blocks and sweeps the rest. Repeats both if another process was faster.
    pub(crate) fn collect(&self, mut what: Collection<'_>) -> Result<Collected> {
        let mut done = Collected::default();
        match self.collect_into(&mut what, &mut done) {
            // The deletion is stored, so the error becomes part of its result.
            Err(error) if done.is_swept => {
                done.remains = Some(match error {
                    Error::Store(error) => error,
                    error => StoreError::Backend(Box::new(error)),
                });
            }
            result => result?,
        }
        Ok(done)
    }

    fn collect_into(&self, what: &mut Collection<'_>, done: &mut Collected) -> Result<()> {
        let mut marks = Marks::default();
        let mut tries = 0;
        loop {
            let view = self.parts.store.view()?;
            let (version, refs) = (view.version(), view.refs()?);
            drop(view);
            if !what.fits(version) {
                return Err(StoreError::Changed.into());
            }
            // Rows of later versions stay.
            let later = match what.fate {
                Some(_) => Later::count(self.parts, what.seen.unwrap_or(version))?,
                None => Later::default(),
            };
            let may_retry = tries < MAX_TRIES && what.drafted.is_none();
            let catches_up = tries >= TRIES_BESIDE_WRITERS && what.drafted.is_none();
            let at = (version, &refs);
            let (swept, found) =
                match self.reach_and_sweep(at, &later, &mut marks, what, catches_up) {
                    Err(error) if error.is_lost_race() && may_retry => {
                        // Marks stay valid, unless a marked block may be deleted now or was missing.
                        let may_go = what.fate.is_some() || error.is_swept();
                        if may_go || !marks.marked.absent().is_empty() {
                            marks = Marks::default();
                        }
                        tries += 1;
                        continue;
                    }
                    done => done?,
                };
            done.blocks += swept.blocks;
            done.block_bytes += swept.bytes;
            done.moves += swept.rows;
            done.states += found.states;
            if what.dry_run {
                return self.count_blobs(&found, &marks.live, what, done);
            }
            done.is_swept = true;
            self.parts.caches.clear();
            done.undecodable.clone_from(&marks.live.undecodable);
            done.remains = match self.finish(&found, swept, &marks.live, what, done) {
                // A new record may refer to a blob, so marking is repeated.
                Err(Error::Store(StoreError::Changed)) if tries < MAX_TRIES => {
                    (what.drafted, what.seen) = (None, None);
                    tries += 1;
                    continue;
                }
                remains => remains?,
            };
            return Ok(());
        }
    }

    /// Marks what stays, and sweeps the rest.
    fn reach_and_sweep(
        &self,
        (version, refs): (Version, &Refs),
        later: &Later,
        marks: &mut Marks,
        what: &mut Collection<'_>,
        catches_up: bool,
    ) -> Result<(SweptBlocks, Coverage)> {
        let stored = self.stored_blobs()?;
        if !stored.is_empty() && !marks.marked.is_for_blobs() {
            *marks = Marks { marked: Marked::new(true), ..Marks::default() };
        }
        let (marked, live) = (&mut marks.marked, &mut marks.live);
        let mut found = self.reach(version, refs, later, stored, what, (marked, live))?;
        Ok((self.sweep_blocks(&mut found, later, marks, what, catches_up)?, found))
    }

    /// Sweeps what is not marked. If it `catches_up`, what other writers have stored meanwhile is marked while they wait.
    fn sweep_blocks(
        &self,
        found: &mut Coverage,
        later: &Later,
        marks: &mut Marks,
        what: &mut Collection<'_>,
        catches_up: bool,
    ) -> Result<SweptBlocks> {
        let (decide, drafted, dry_run) = (what.fate, what.drafted, what.dry_run);
        let (facts, seen) = (self.facts_after(found, &marks.marked, what)?, found.version);
        let (mut counting, mut failed) = (later.clone(), None);
        let mut fate = |row: &LogEntry| match decide {
            Some(decide) => counting.fate(row, decide),
            None => Fate::Stays,
        };
        let marks = RefCell::new(marks);
        let live = |cid: &Cid| marks.borrow().marked.reaches(cid);
        let absent = |cid: &Cid| marks.borrow().marked.absent().contains(cid);
        let mut catch_up = |version| {
            let caught_up = self.catch_up(version, later, &mut marks.borrow_mut(), found, what);
            caught_up.map_err(|error| {
                failed = Some(error);
                StoreError::Changed
            })
        };
        let mut sweep = Sweep::new(seen, &live).absent(&absent).facts(facts).dry_run(dry_run);
        if catches_up {
            sweep = sweep.catch_up(&mut catch_up);
        }
        if decide.is_some() {
            sweep = sweep.log(&mut fate);
        }
        if let Some(drafted) = drafted.filter(|drafted| !drafted.commits.is_empty()) {
            let blocks: Vec<_> = drafted.blocks.iter().cloned().map(Ok).collect();
            let edits = drafted.commits.iter().cloned();
            sweep = sweep.change(Change::new(Event::Forget).blocks(blocks).edits(edits));
        }
        let swept = self.parts.store.collect(sweep);
        failed.map_or(Ok(()), Err)?;
        Ok(swept?)
    }

    /// Marks what was stored up to a version, while no writer can store more. Returns the edits of facts.
    fn catch_up(
        &self,
        version: Version,
        later: &Later,
        marks: &mut Marks,
        found: &mut Coverage,
        what: &mut Collection<'_>,
    ) -> Result<Vec<FactEdit>> {
        let view = self.parts.store.view()?;
        let (present, refs) = (view.version(), view.refs()?);
        drop(view);
        if present != version && !what.dry_run {
            return Err(StoreError::Changed.into());
        }
        let reading = Reading::since(self.parts.store.clone(), version);
        let Marks { marked, live } = marks;
        self.mark_states(&reading, version, (&refs, &Drafted::default()), later, what, marked)?;
        if found.may_delete_blobs {
            marked.find_blobs(&reading, live, what.progress)?;
            found.forgotten.retain(|cid| !live.cids.contains(cid));
        }
        found.version = version;
        self.facts_after(found, marked, what)
    }

    /// Returns the edits of facts that belong to a sweep.
    fn facts_after(
        &self,
        found: &Coverage,
        marked: &Marked,
        what: &Collection<'_>,
    ) -> Result<Vec<FactEdit>> {
        let mut facts = Vec::new();
        if what.fate.is_some() {
            facts.extend(self.keys_of_deleted(marked)?);
        }
        if what.is_forgetting {
            facts.push(FactEdit::Set(Fact::Erasing));
            facts.extend(found.forgotten.iter().map(|cid| FactEdit::Set(Fact::Erasure(*cid))));
        }
        // A missing block that no state names any more is no longer a loss.
        facts.push(FactEdit::Clear(FactKind::Loss));
        facts.extend(marked.holes_met().iter().map(|cid| FactEdit::Set(Fact::Loss(*cid))));
        let view = self.parts.store.view()?;
        if found.states > 0 {
            let newest = found.newest.max(facts::forgotten(view.as_ref())?);
            facts.extend(newest.map(|rev| FactEdit::Set(Fact::Forgotten(rev))));
        }
        if what.is_forgetting && found.states > 0 {
            let newest = found.newest.max(facts::purged(view.as_ref())?);
            facts.extend(newest.map(|rev| FactEdit::Set(Fact::Purged(rev))));
        }
        Ok(facts)
    }

    /// Returns the edits that remove the named keys of deleted commits.
    fn keys_of_deleted(&self, marked: &Marked) -> Result<Vec<FactEdit>> {
        let mut edits = Vec::new();
        self.parts.store.view()?.facts(FactKind::NamedKey, &mut |fact| {
            if let Fact::NamedKey { commit, .. } = &fact
                && !marked.has_commit(commit)
            {
                edits.push(FactEdit::Remove(fact));
            }
            ControlFlow::Continue(())
        })?;
        Ok(edits)
    }
}

/// What is marked, and the blobs that it refers to.
struct Marks {
    marked: Marked,
    live: BlobsOf,
}

impl Default for Marks {
    fn default() -> Self {
        Self { marked: Marked::new(false), live: BlobsOf::default() }
    }
}

/// The number of lost races after which other writers wait while the rest is marked. What they have stored since then
/// stays, and so do the states that it replaces.
const TRIES_BESIDE_WRITERS: u32 = 2;

/// The number of attempts after a lost race.
const MAX_TRIES: u32 = 100;
