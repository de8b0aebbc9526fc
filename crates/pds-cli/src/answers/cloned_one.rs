//! The answer of `pds clone` about one of several accounts.

use std::fmt;
use std::path::Path;

use pds::data::Cid;
use pds::syntax::{Did, Handle, Tid};
use serde::Serialize;

use super::fetched::BlobCounts;
use super::json::optional_text;
use crate::process::text::{counted_plain, rev_text};

/// What has become of one of several accounts.
#[derive(Serialize)]
pub(crate) struct ClonedOne {
    /// The directory, if the account has one.
    pub(crate) dir: Option<String>,
    pub(crate) did: String,
    pub(crate) handle: Option<String>,
    #[serde(flatten)]
    pub(crate) outcome: CloneOutcome,
}

/// The result for an account.
#[derive(Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub(crate) enum CloneOutcome {
    /// The repository was made, or completed.
    Cloned(ClonedState),
    /// An earlier run has made the repository.
    Present,
    /// The account is not on this host, or its host does not serve it.
    Skipped {
        reason: String,
    },
    Failed {
        error: &'static str,
        message: String,
    },
}

/// The state of a new repository.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClonedState {
    pub(crate) blobs: BlobCounts,
    pub(crate) bytes_received: u64,
    pub(crate) commit: Cid,
    /// The number of records; `None` if an earlier run has imported them.
    pub(crate) records: Option<u64>,
    pub(crate) requests: u64,
    #[serde(serialize_with = "optional_text")]
    pub(crate) rev: Option<Tid>,
}

/// What has become of all accounts.
#[derive(Clone, Copy, Default)]
pub(crate) struct CloneCounts {
    pub(crate) cloned: u64,
    pub(crate) present: u64,
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    /// Those with missing blobs or damaged rows, which count as cloned as well.
    pub(crate) incomplete: u64,
    pub(crate) records: u64,
    pub(crate) blobs: u64,
}

impl fmt::Display for CloneCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cloned, present, skipped, failed, incomplete, .. } = *self;
        let all = counted_plain(cloned + present + skipped + failed, "account");
        write!(
            f,
            "{all}: {cloned} cloned, {present} already there, {skipped} skipped, {failed} failed"
        )?;
        match incomplete {
            0 => Ok(()),
            incomplete => write!(f, ", {incomplete} incomplete"),
        }
    }
}

impl ClonedOne {
    pub(crate) fn new(did: &Did, handle: Option<&Handle>, outcome: CloneOutcome) -> Self {
        let (did, handle) = (did.to_string(), handle.map(ToString::to_string));
        Self { dir: None, did, handle, outcome }
    }

    pub(crate) fn in_dir(self, dir: &Path) -> Self {
        Self { dir: Some(dir.display().to_string()), ..self }
    }

    /// Returns the name of the account in messages: its directory, or its DID.
    pub(crate) fn name(&self) -> &str {
        self.dir.as_ref().unwrap_or(&self.did)
    }
}

impl fmt::Display for ClonedOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}", self.name(), self.outcome)
    }
}

impl fmt::Display for CloneOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cloned(ClonedState { rev, records, blobs, .. }) => {
                let records = records.map_or_else(String::new, |records| {
                    format!("\t{}", counted_plain(records, "record"))
                });
                let blobs = counted_plain(blobs.fetched, "blob");
                write!(f, "{}{records}\t{blobs}", rev_text(*rev))
            }
            Self::Present => f.write_str("already there"),
            Self::Skipped { reason } => write!(f, "skipped: {reason}"),
            Self::Failed { message, .. } => f.write_str(message),
        }
    }
}
