//! The other side of a merge: a commit of this repository or of a file.

use std::collections::BTreeSet;

use crate::error::Result;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_store::blob::store::BlobStore;
use pds_store::error::BoxError;
use pds_store::event::Event;
use pds_store::version::Version;

/// The other side of a merge.
pub(crate) struct Other<'a> {
    pub(crate) commit: Commit,
    /// The blocks that are stored.
    pub(crate) stored: &'a dyn Blocks,
    /// The blocks of the other side and the stored blocks.
    pub(crate) blocks: &'a dyn Blocks,
    /// The version of the store that the merge is based on.
    pub(crate) version: Version,
    /// Returns the blocks to store with the merge. Returns none if the other side is stored.
    pub(crate) arrive: &'a dyn Fn() -> BoxedBlocks<'a>,
    pub(crate) is_here: bool,
    /// A store with blobs of the other side, and the blobs that its records refer to.
    pub(crate) blobs: Option<(&'a dyn BlobStore, &'a BTreeSet<Cid>)>,
    /// The key of the other commit, if the user named it and it was not known.
    pub(crate) key: Option<&'a PublicKey>,
}

/// Blocks that are read while they are stored.
pub(crate) type BoxedBlocks<'a> = Box<dyn Iterator<Item = Result<Block, BoxError>> + 'a>;

impl Other<'_> {
    /// Returns the event of the merge.
    pub(crate) fn event(&self) -> Event {
        Event::Merge { other: self.commit.cid(), key: self.key.map(Into::into) }
    }
}
