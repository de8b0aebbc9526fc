//! The blobs of a state of a mirror: which of them a fetch has to bring.

use pds::blobs::BlobUse;
use pds::data::blobs_in;
use pds::model::write::RecordChange;

use crate::error::{Error, Result};
use crate::mirror::blobs::{self, Blobs, Wanted};
use crate::mirror::handle::{FetchOptions, Mirror};
use crate::mirror::missing;
use crate::mirror::source::Source;

impl Mirror {
    /// Fetches the blobs of a state that was just stored. It stays if the host fails now: the error is given back.
    pub(super) fn blobs_of_new(
        &mut self,
        source: &Source<'_>,
        of_records: (&[RecordChange], bool),
        options: &FetchOptions,
    ) -> Result<(Blobs, Option<Error>)> {
        match self.blobs(source, of_records, options) {
            Err(error) if error.is_remote() => Ok((Blobs::default(), Some(error))),
            blobs => Ok((blobs?, None)),
        }
    }

    /// Fetches the blobs of new records, or all that are missing if an earlier run did not finish. With `check_blobs`,
    /// fetches all that are missing or damaged.
    pub(super) fn blobs(
        &mut self,
        source: &Source<'_>,
        (changes, was_complete): (&[RecordChange], bool),
        options: &FetchOptions,
    ) -> Result<Blobs> {
        let only = &options.blobs_of[..];
        if options.no_blobs {
            return Ok(Blobs::default());
        }
        // If the list has another length than this program wrote, it is not used.
        let is_listed = missing::read(&self.dir)?.len() as u64 == self.upstream.missing;
        let mut wanted = Wanted::default();
        if options.check_blobs {
            // If this run is killed, the next one looks at all records.
            self.set_incomplete()?;
            wanted.unsound(&self.repo, only)?;
        } else if !was_complete || !is_listed {
            wanted.all(&self.repo, only)?;
        } else {
            for change in changes {
                let Some(cid) = change.after else { continue };
                let block = self.repo.store().get(&cid).map_err(pds::Error::from)?;
                let blobs = block.and_then(|block| blobs_in(block.bytes()).ok());
                for blob in blobs.into_iter().flatten() {
                    if self.repo.blob(&blob.cid)?.is_none() {
                        wanted.add(BlobUse { path: change.path.clone(), blob }, only);
                    }
                }
            }
        }
        let fetched = blobs::fetch(source, &self.repo, &self.dir, (wanted, only))?;
        self.note_blobs(&fetched, true)?;
        Ok(fetched)
    }
}
