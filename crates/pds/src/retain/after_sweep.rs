//! The end of a collection, after its transaction: blobs are deleted, and remains are erased.

use std::ops::ControlFlow;

use crate::clock::now_micros;
use crate::error::Result;
use crate::facts;
use crate::retain::collection::{Collected, Collection};
use crate::retain::handle::Retain;
use crate::retain::mark::BlobsOf;
use crate::retain::reach::Coverage;
use pds_core::data::cid::Cid;
use pds_store::blob::store::{BlobInfo, BlobSweep};
use pds_store::change::Change;
use pds_store::error::StoreError;
use pds_store::event::Event;
use pds_store::fact::{FactEdit, FactKind};
use pds_store::store::Compacted;
use pds_store::sweep::SweptBlocks;

/// The file is rewritten if at least one in this many bytes was deleted. Otherwise later writes use the free
/// space.
const WORTH_REWRITING: u64 = 10;

/// The age at which an incomplete upload counts as abandoned.
const UPLOAD_AGE_MICROS: u64 = 60 * 60 * 1_000_000;

impl Retain<'_> {
    /// Completes a sweep outside of its transaction: deletes blobs, and cleans the files. Returns the reason
    /// why remains may be left.
    pub(super) fn finish(
        &self,
        found: &Coverage,
        swept: SweptBlocks,
        live: &BlobsOf,
        what: &Collection<'_>,
        done: &mut Collected,
    ) -> Result<Option<StoreError>> {
        // A later writer may refer to a blob that was not in use.
        if found.may_delete_blobs && self.parts.store.view()?.version() != swept.version {
            return Err(StoreError::Changed.into());
        }
        // The blobs of undecodable records are unknown, so no blob is deleted while there are such records.
        let all_known = live.undecodable.is_empty();
        let forgotten: Vec<Cid> = found.forgotten.iter().copied().filter(|_| all_known).collect();
        for blob in self.parts.blobs.sweep(BlobSweep::Listed(&forgotten))? {
            done.add_blob(&blob);
        }
        if found.may_delete_blobs {
            let stays = |cid: &Cid| !all_known || live.cids.contains(cid);
            let old = BlobSweep::StoredBefore { micros: what.blobs_before_micros, keep: &stays };
            for blob in self.parts.blobs.sweep(old)? {
                done.add_blob(&blob);
            }
        }
        if what.is_forgetting {
            // Abandoned uploads may contain purged data. Uploads in progress are younger than this.
            let abandoned = now_micros().saturating_sub(UPLOAD_AGE_MICROS);
            self.parts
                .blobs
                .sweep(BlobSweep::StoredBefore { micros: abandoned, keep: &|_| true })?;
        }
        let is_erasing = what.is_forgetting || self.is_erasing()?;
        let is_worth_it = swept.blocks > 0 && swept.bytes >= swept.kept_bytes / WORTH_REWRITING;
        if (is_erasing || is_worth_it)
            && let Some(maintain) = self.parts.store.maintain()
        {
            match maintain.compact() {
                Ok(Compacted::Clean) => {}
                Ok(Compacted::Remains(places)) => done.remains_elsewhere = Some(places),
                Err(error) => return Ok(Some(error)),
            }
        }
        if is_erasing && (all_known || found.forgotten.is_empty()) {
            let clear = [FactKind::Erasing, FactKind::Erasure].map(FactEdit::Clear);
            let clear = Change::new(Event::Forget).facts(clear).unless_swept_since(swept.version);
            match self.parts.store.apply(clear) {
                // The facts may be those of a later purge, which is not complete yet.
                Err(StoreError::Changed) => {}
                cleared => drop(cleared?),
            }
        }
        Ok(None)
    }

    pub(super) fn count_blobs(
        &self,
        found: &Coverage,
        live: &BlobsOf,
        what: &Collection<'_>,
        done: &mut Collected,
    ) -> Result<()> {
        done.undecodable.clone_from(&live.undecodable);
        for blob in self.stored_blobs()? {
            let is_old = blob.stored_at_micros < what.blobs_before_micros;
            let is_dead = live.undecodable.is_empty() && !live.cids.contains(&blob.cid);
            if is_dead && (is_old || found.forgotten.contains(&blob.cid)) {
                done.add_blob(&blob);
            }
        }
        Ok(())
    }

    /// Returns whether an incomplete purge may have left remains of deleted data in the files.
    /// [`gc`](Self::gc) completes it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub fn is_erasing(&self) -> Result<bool> {
        facts::is_erasing(self.parts.store.view()?.as_ref())
    }

    pub(super) fn stored_blobs(&self) -> Result<Vec<BlobInfo>> {
        let mut stored = Vec::new();
        self.parts.blobs.list(&mut |blob| {
            stored.push(blob);
            ControlFlow::Continue(())
        })?;
        Ok(stored)
    }
}
