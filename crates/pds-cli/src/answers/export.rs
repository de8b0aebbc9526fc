//! The answer of `pds export`.

use std::fmt;

use serde::Serialize;

use super::commit::CommitId;
use crate::text::counted;

/// The size of a file that was written.
#[derive(Serialize)]
pub(crate) struct ExportAnswer {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) commit: CommitId,
}

impl fmt::Display for ExportAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", counted(self.blocks, "block"), counted(self.bytes, "byte"))
    }
}
