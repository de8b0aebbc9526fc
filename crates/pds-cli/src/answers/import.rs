//! The answer of `pds import`.

use serde::Serialize;

use super::arrived::Arrived;
use super::commit::CommitId;

#[derive(Serialize)]
pub(crate) struct ImportAnswer {
    pub(crate) blocks: u64,
    pub(crate) commit: CommitId,
    pub(crate) records: u64,
    #[serde(flatten)]
    pub(crate) arrived: Arrived,
}

display!(ImportAnswer, "{blocks}\t{commit}", blocks, commit);
