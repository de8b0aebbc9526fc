//! The answer of `pds prove`.

use std::fmt;

use pds::data::Cid;
use serde::Serialize;

use super::commit::CommitId;

/// The statement of a proof: the CID of a record, or that the record is absent.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Presence(pub(crate) Option<Cid>);

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(cid) => write!(f, "present {cid}"),
            None => f.write_str("absent"),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ProveAnswer {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) cid: Presence,
    pub(crate) commit: CommitId,
    pub(crate) uri: String,
}

display!(ProveAnswer, "{cid}", cid);
