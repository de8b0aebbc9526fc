//! The deletion of states: marks what the remaining log rows reach, and sweeps all other blocks.

use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::facts;
use crate::retain::collection::{Collected, Collection};
use crate::retain::handle::Retain;
use crate::retain::mark::{BlobsOf, Marked};
use crate::retain::reach::{Coverage, Later};
use pds_core::data::cid::Cid;
use pds_store::change::Change;
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::log::LogEntry;
use pds_store::sweep::{Fate, Sweep, SweptBlocks};

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
        let (mut marked, mut live) = (Marked::new(false), BlobsOf::default());
        let mut tries = MAX_TRIES;
        loop {
            let view = self.parts.store.view()?;
            let (version, refs) = (view.version(), view.refs()?);
            drop(view);
            if what.seen.is_some_and(|seen| seen != version) {
                return Err(StoreError::Changed.into());
            }
            let stored = self.stored_blobs()?;
            if !stored.is_empty() && !marked.is_for_blobs() {
                (marked, live) = (Marked::new(true), BlobsOf::default());
            }
            let later = match what.fate {
                Some(_) => Later::count(self.parts, version)?,
                None => Later::default(),
            };
            let swept = self
                .reach(version, &refs, &later, stored, what, (&mut marked, &mut live))
                .and_then(|found| Ok((self.sweep_blocks(&found, &later, &marked, what)?, found)));
            let (swept, found) = match swept {
                // Marks stay valid, unless a marked block may be deleted now or was missing.
                Err(error) if error.is_lost_race() && tries > 0 && what.seen.is_none() => {
                    if what.fate.is_some() || error.is_swept() || !marked.absent().is_empty() {
                        (marked, live) = (Marked::new(false), BlobsOf::default());
                    }
                    tries -= 1;
                    continue;
                }
                swept => swept?,
            };
            done.blocks += swept.blocks;
            done.block_bytes += swept.bytes;
            done.moves += swept.rows;
            done.states += found.states;
            if what.dry_run {
                return self.count_blobs(&found, &live, what, done);
            }
            done.is_swept = true;
            self.parts.caches.clear();
            done.undecodable.clone_from(&live.undecodable);
            done.remains = match self.finish(&found, swept, &live, what, done) {
                // A new record may refer to a blob, so marking is repeated.
                Err(Error::Store(StoreError::Changed)) if tries > 0 => {
                    (what.drafted, what.seen) = (None, None);
                    tries -= 1;
                    continue;
                }
                remains => remains?,
            };
            return Ok(());
        }
    }

    fn sweep_blocks(
        &self,
        found: &Coverage,
        later: &Later,
        marked: &Marked,
        what: &Collection<'_>,
    ) -> Result<SweptBlocks> {
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
        drop(view);

        let (mut counting, decide) = (later.clone(), what.fate);
        let mut fate = |row: &LogEntry| match decide {
            Some(decide) => counting.fate(row, decide),
            None => Fate::Stays,
        };
        let (live, absent) =
            (|cid: &Cid| marked.reaches(cid), |cid: &Cid| marked.absent().contains(cid));
        let mut sweep =
            Sweep::new(found.version, &live).absent(&absent).facts(facts).dry_run(what.dry_run);
        if what.fate.is_some() {
            sweep = sweep.log(&mut fate);
        }
        if let Some(drafted) = what.drafted.filter(|drafted| !drafted.commits.is_empty()) {
            let blocks: Vec<_> = drafted.blocks.iter().cloned().map(Ok).collect();
            let edits = drafted.commits.iter().cloned();
            sweep = sweep.change(Change::new(Event::Forget).blocks(blocks).edits(edits));
        }
        Ok(self.parts.store.collect(sweep)?)
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

/// The number of attempts after a lost race.
const MAX_TRIES: u32 = 100;
