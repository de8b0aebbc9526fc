//! The answer of `pds cid`.

use pds::data::Cid;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct CidAnswer {
    /// The number of bytes that were hashed.
    pub(crate) bytes: u64,
    pub(crate) cid: Cid,
    /// The kind of the bytes: `raw` or `dag-cbor`.
    pub(crate) codec: &'static str,
}

display!(CidAnswer, "{cid}", cid);
