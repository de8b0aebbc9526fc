//! The parameters and the result of a collection.

use std::collections::HashMap;

use pds_core::data::block::MemoryBlocks;
use pds_core::data::cid::Cid;
use pds_store::blob::store::BlobInfo;
use pds_store::error::StoreError;
use pds_store::log::LogEntry;
use pds_store::ref_name::RefName;
use pds_store::refs::RefEdit;
use pds_store::sweep::Fate;
use pds_store::version::Version;

/// The parameters of a collection: what it keeps, and how thorough it is.
pub(crate) struct Collection<'a> {
    /// Decides which rows of the log stay. `None` keeps all of them.
    pub(crate) fate: Option<&'a Decide<'a>>,
    /// Commits that replace the present commits of some refs.
    pub(crate) drafted: Option<&'a Drafted>,
    /// Delete unreferenced blobs that were stored before this time.
    pub(crate) blobs_before_micros: u64,
    /// Delete the blobs of deleted states whatever their age, and clean the files of remains.
    pub(crate) is_forgetting: bool,
    /// Count the deletions, and change nothing.
    pub(crate) dry_run: bool,
    /// The version of the store that `fate` and `drafted` belong to. `None` allows any version. Rows of later versions
    /// stay.
    pub(crate) seen: Option<Version>,
    /// Called with the number of blocks that were visited since the last call.
    pub(crate) progress: &'a mut dyn FnMut(u64),
}

impl Collection<'_> {
    /// Returns whether the collection can be made in a version of the store.
    pub(super) fn fits(&self, version: Version) -> bool {
        match self.drafted {
            Some(_) => self.seen.is_none_or(|seen| seen == version),
            None => self.seen.is_none_or(|seen| seen.sweep == version.sweep),
        }
    }
}

/// Decides on a row of the log, given the number of later rows of its ref.
pub(crate) type Decide<'a> = dyn Fn(&LogEntry, u64) -> Fate + 'a;

/// Commits that are not stored yet.
#[derive(Default)]
pub(crate) struct Drafted {
    pub(crate) blocks: MemoryBlocks,
    /// The trees of the refs that get a new commit.
    pub(crate) roots: HashMap<RefName, Cid>,
    /// The signed commits; empty in a dry run.
    pub(crate) commits: Vec<RefEdit>,
}

/// The result of a collection.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) blocks: u64,
    pub(crate) block_bytes: u64,
    pub(crate) blobs: u64,
    pub(crate) blob_bytes: u64,
    /// Rows of the log that were dropped.
    pub(crate) moves: u64,
    /// Commits of the log that were deleted.
    pub(crate) states: u64,
    /// Live records that cannot be decoded. They prevent the deletion of blobs.
    pub(crate) undecodable: Vec<Cid>,
    /// Whether blocks were deleted, and not only counted.
    pub(crate) is_swept: bool,
    /// The reason why the files may still contain remains of deleted data.
    pub(crate) remains: Option<StoreError>,
    /// The places that the store does not manage and that may contain remains.
    pub(crate) remains_elsewhere: Option<String>,
}

impl Collected {
    pub(super) fn add_blob(&mut self, blob: &BlobInfo) {
        self.blobs += 1;
        self.blob_bytes += blob.size_bytes;
    }
}
