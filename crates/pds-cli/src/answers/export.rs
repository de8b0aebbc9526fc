//! The answer of `pds export`.

use std::fmt;

use serde::Serialize;

use super::commit::CommitId;
use crate::process::text::counted_plain;

/// The size of a file that was written.
#[derive(Serialize)]
pub(crate) struct ExportAnswer {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) commit: CommitId,
}

impl fmt::Display for ExportAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", counted_plain(self.blocks, "block"), counted_plain(self.bytes, "byte"))
    }
}

/// The numbers of files and of records that were written.
#[derive(Serialize)]
pub(crate) struct ExportedRecords {
    pub(crate) commit: CommitId,
    /// The number of files, if the export is a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<u64>,
    pub(crate) records: u64,
    pub(crate) rejected: u64,
}

impl fmt::Display for ExportedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(files) = self.files {
            write!(f, "{}, ", counted_plain(files, "file"))?;
        }
        f.write_str(&counted_plain(self.records, "record"))
    }
}
