//! The rows of the index of blocks: where the block with a CID is stored.

use pds_core::data::cid::Cid;

/// A row of the index: the first eight bytes of a digest, and the number of a row of `blocks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) start: i64,
    pub(crate) id: i64,
}

/// Returns the first eight bytes of a digest as SQLite stores them. Different blocks may share
/// them.
pub(crate) fn start_of(cid: &Cid) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *cid.digest();
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
