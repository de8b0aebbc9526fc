//! The answer of `pds ref`.

use pds::data::Cid;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct RefRow {
    pub(crate) cid: Cid,
    pub(crate) name: String,
}

display!(RefRow, "{name}\t{cid}", name, cid);
