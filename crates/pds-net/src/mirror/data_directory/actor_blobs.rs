//! The blobs of an account in a data directory.

use pds::Repo;
use pds::blob::{BlobError, BlobInfo, BlobStore, OpenBlob};
use pds::blobs::BlobUse;
use pds_core::syntax::did::Did;

use crate::clock::now;
use crate::error::{Error, Result};
use crate::mirror::blobs::{Blobs, Fault, Wanted, entry, fault};
use crate::mirror::data_directory::actor_state::ActorState;
use crate::mirror::data_directory::layout::DataDirectory;
use crate::mirror::missing::Reason;
use crate::progress::{Progress, Report};

/// An account in a data directory.
#[derive(Clone, Copy)]
pub(super) struct Actor<'a> {
    pub(super) from: &'a DataDirectory,
    pub(super) did: &'a Did,
    /// The largest blob.
    pub(super) max_blob_bytes: u64,
    pub(super) report: Report<'a>,
}

/// Copies blobs into a repository, and lists those that could not be copied.
pub(super) fn copy_blobs(
    actor: Actor<'_>,
    repo: &Repo,
    wanted: Wanted,
    state: &ActorState,
) -> Result<Blobs> {
    let mut blobs = Blobs { leaves_out: wanted.leaves_out, ..Blobs::default() };
    let (now, of) = (now(), wanted.uses.len() as u64);
    for one in wanted.uses.into_values() {
        match copy(actor, repo.blobs().as_ref(), &one, state)? {
            Ok(bytes) => {
                blobs.fetched += 1;
                blobs.bytes += bytes;
            }
            Err(fault) => blobs.missing.push(entry(&one, &fault, 1, &now)),
        }
        let step = Progress::Blob { done: blobs.fetched, of, bytes: blobs.bytes };
        if (actor.report)(step).is_break() {
            return Err(Error::Stopped);
        }
    }
    Ok(blobs)
}

/// Copies a blob, or returns why it could not be copied. A file that is no regular one is an error.
fn copy(
    actor: Actor<'_>,
    store: &dyn BlobStore,
    one: &BlobUse,
    state: &ActorState,
) -> Result<Result<u64, Fault>> {
    let Actor { from, did, max_blob_bytes, .. } = actor;
    let cid = one.blob.cid;
    let because = |reason| Ok(Err(Fault { reason, status: None }));
    let Some(file) = from.blob(did, &cid)? else {
        return because(match state.temporary.contains(&cid) {
            _ if from.has_quarantined(did, &cid)? => Reason::Quarantined,
            true => Reason::Temporary,
            false => Reason::NotFound,
        });
    };
    // The record may name another size than the blob has. The hash decides.
    let size_bytes = file.metadata().map_err(Error::from)?.len();
    if size_bytes > max_blob_bytes {
        return because(Reason::TooLarge);
    }
    let info = BlobInfo { cid, size_bytes, stored_at_micros: 0 };
    // The reader fails at its end if the bytes have another hash, so that they are not stored.
    let mut blob = OpenBlob::new(info, file);
    match store.put(&mut blob.reader) {
        Ok(stored) => Ok(Ok(stored.size_bytes)),
        Err(BlobError::Source(error)) => {
            let error = Error::from(error);
            fault(&error).map(Err).ok_or(error)
        }
        Err(error) => Err(pds::Error::from(error).into()),
    }
}
