//! The answer of `pds cid`.

use pds::data::Cid;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct CidAnswer {
    pub(crate) cid: Cid,
}

display!(CidAnswer, "{cid}", cid);
