//! Copies of blobs from another repository.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;

use crate::error::Result;
use crate::model::progress::{Progress, StepKind};
use crate::transfer::handle::Transfer;
use crate::transfer::incoming::unboxed;
use crate::transfer::state_blocks::StateBlocks;
use crate::transfer::state_blocks::states_of;
use pds_core::data::cid::Cid;
use pds_core::data::value::Value;
use pds_store::blob::error::BlobError;
use pds_store::blob::store::BlobStore;
use pds_store::error::StoreError;

/// The result of copying blobs from another repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopiedBlobs {
    /// The number of blobs that were copied.
    pub copied: u64,
    /// Blobs of the other repository that are damaged or cannot be read. They were not copied.
    pub damaged: Vec<Cid>,
}

impl Transfer<'_> {
    /// Copies the missing and damaged blobs that records of a stored state refer to, from another blob store. All
    /// referenced blobs are hashed.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// let copied = repo.transfer().restore_blobs(&pds::blob::MemoryBlobs::default())?;
    /// assert_eq!((copied.copied, copied.damaged.len()), (0, 0), "no record refers to a blob");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) if the store or a blob store cannot be read or written.
    pub fn restore_blobs(&self, from: &dyn BlobStore) -> Result<CopiedBlobs> {
        let wanted = self.parts.until_unchanged(|| self.referenced_blobs())?;
        let blobs = self.parts.blobs.as_ref();
        let mut result = CopiedBlobs::default();
        for cid in wanted {
            self.progress.one(StepKind::Blobs);
            let is_whole = match blobs.open(&cid) {
                Ok(Some(mut blob)) => io::copy(&mut blob.reader, &mut io::sink()).is_ok(),
                Ok(None) | Err(_) => false,
            };
            if !is_whole {
                result.add(blobs, from, &cid)?;
            }
        }
        Ok(result)
    }

    /// Returns every blob that a record of a stored state refers to. Damaged parts of states are passed over.
    fn referenced_blobs(&self) -> Result<BTreeSet<Cid>> {
        let moment = self.parts.moment()?;
        let Some(head) = moment.refs.iter().next().map(|(_, commit)| *commit) else {
            return Ok(BTreeSet::new());
        };
        let Some(did) = self.parts.known_did()? else { return Ok(BTreeSet::new()) };
        let mut states = states_of(self.parts, &moment, None)?;
        states.iter_mut().for_each(|state| state.is_whole = false);
        let mut found = BTreeSet::new();
        for block in StateBlocks::new(moment.blocks.as_ref(), &did, states, head) {
            self.progress.one(StepKind::Blocks);
            let block = block.map_err(|error| unboxed(StoreError::Blocks(error).into()))?;
            if let Ok(value) = Value::decode(block.bytes()) {
                found.extend(value.blobs().map(|blob| blob.cid));
            }
        }
        Ok(found)
    }
}

/// Returns the blobs to copy: the noted ones, or all of a blob store if records refer to more than were noted.
pub(crate) fn wanted_blobs(
    mut noted: BTreeSet<Cid>,
    has_more: bool,
    from: Option<&dyn BlobStore>,
) -> Result<BTreeSet<Cid>> {
    if let Some(from) = from.filter(|_| has_more) {
        from.list(&mut |info| {
            noted.insert(info.cid);
            ControlFlow::Continue(())
        })?;
    }
    Ok(noted)
}

/// Copies the blobs that the other store has and this one lacks, out of a list. Makes those that it has young, because
/// a record that refers to them follows.
pub(crate) fn bring_blobs(
    to: &dyn BlobStore,
    from: &dyn BlobStore,
    wanted: &BTreeSet<Cid>,
    progress: Progress<'_>,
) -> Result<CopiedBlobs> {
    let mut result = CopiedBlobs::default();
    for cid in wanted {
        progress.one(StepKind::Blobs);
        if to.renew(cid)?.is_none() {
            result.add(to, from, cid)?;
        }
    }
    Ok(result)
}

/// Copies all blobs of another store, except some.
pub(crate) fn copy_all_blobs(
    to: &dyn BlobStore,
    from: &dyn BlobStore,
    is_left_out: &dyn Fn(&Cid) -> bool,
    progress: Progress<'_>,
) -> Result<CopiedBlobs> {
    let (mut result, mut failed) = (CopiedBlobs::default(), None);
    from.list(&mut |info| {
        if is_left_out(&info.cid) {
            return ControlFlow::Continue(());
        }
        match result.add(to, from, &info.cid) {
            Ok(()) => {
                progress.one(StepKind::Blobs);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed.map_or(Ok(result), Err)
}

impl CopiedBlobs {
    /// Copies a blob, if the other store has it.
    fn add(&mut self, to: &dyn BlobStore, from: &dyn BlobStore, cid: &Cid) -> Result<()> {
        let is_of_source = |error: &BlobError| match error {
            BlobError::Source(_) => true,
            BlobError::Io { path, .. } => from.file(cid).as_ref() == Some(path),
            BlobError::Backend(_) | _ => false,
        };
        match to.copy(cid, from) {
            Ok(found) => self.copied += u64::from(found.is_some()),
            Err(error) if is_of_source(&error) => self.damaged.push(*cid),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
