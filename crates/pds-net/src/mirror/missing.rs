//! The file `missing-blobs.json`: blobs that records refer to and that the host did not give.

use std::collections::BTreeMap;
use std::path::Path;

use pds::local::layout::MISSING_BLOBS_FILE;
use pds_core::data::cid::Cid;
use pds_core::syntax::datetime::Datetime;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::mirror::small_file::{read_json, write_json};
use crate::xrpc::parsed;

/// A blob that could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MissingBlob {
    /// The blob.
    pub cid: Cid,
    /// A record that refers to it.
    pub path: String,
    /// The size in the record, if it names one.
    pub size: Option<u64>,
    /// The media type in the record.
    pub mime_type: String,
    /// Why it could not be fetched.
    pub reason: Reason,
    /// The status of the last answer, if there was one.
    pub status: Option<u16>,
    /// The number of tries.
    pub tries: u32,
    /// The time of the last try.
    #[serde(serialize_with = "parsed::write", deserialize_with = "parsed::text")]
    pub last_try: Datetime,
}

/// Why a blob could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The host does not have it.
    NotFound,
    /// The host sends other bytes.
    WrongHash,
    /// The host sends more bytes than the limit.
    TooLarge,
    /// The host does not serve the account.
    Inactive,
    /// The host failed.
    HostError,
    /// The data directory has it as an upload that is not in its place.
    Temporary,
    /// The server of the data directory has withdrawn it.
    Quarantined,
}

impl Reason {
    /// Returns the word for the reason.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::WrongHash => "wrong-hash",
            Self::TooLarge => "too-large",
            Self::Inactive => "inactive",
            Self::HostError => "host-error",
            Self::Temporary => "temporary",
            Self::Quarantined => "quarantined",
        }
    }
}

impl MissingBlob {
    /// Returns whether it is time for another try: soon at first, and once a day in the end.
    pub(super) fn is_due(&self, now_micros: i64) -> bool {
        let pause = match self.tries {
            0..=2 => 0,
            tries => MINUTE_MICROS.saturating_mul(1 << (tries - 2).min(11)).min(DAY_MICROS),
        };
        now_micros >= self.last_try.unix_micros().saturating_add(pause)
    }
}

/// Reads the list of a repository directory, by CID.
pub(super) fn read(dir: &Path) -> Result<BTreeMap<Cid, MissingBlob>> {
    let listed: Option<Vec<MissingBlob>> = read_json(&dir.join(MISSING_BLOBS_FILE), MAX_BYTES)?;
    Ok(listed.into_iter().flatten().map(|blob| (blob.cid, blob)).collect())
}

/// Replaces the list. Without an entry, the file is removed.
pub(super) fn write(dir: &Path, missing: &BTreeMap<Cid, MissingBlob>) -> Result<()> {
    let path = dir.join(MISSING_BLOBS_FILE);
    if !missing.is_empty() {
        return write_json(&path, &missing.values().collect::<Vec<_>>());
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(super::small_file::failed(&path, error))
        }
        _ => Ok(()),
    }
}

const MINUTE_MICROS: i64 = 60 * 1_000_000;
const DAY_MICROS: i64 = 24 * 60 * MINUTE_MICROS;

/// The largest list, of some hundred thousand blobs.
const MAX_BYTES: u64 = 64 << 20;
