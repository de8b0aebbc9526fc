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
///
/// The file is never larger than [`read`] permits. Returns the number of blobs for which it has no room.
pub(super) fn write(dir: &Path, missing: &BTreeMap<Cid, MissingBlob>) -> Result<u64> {
    let path = dir.join(MISSING_BLOBS_FILE);
    if !missing.is_empty() {
        let listed = fitting(missing.values(), MAX_BYTES);
        write_json(&path, &listed)?;
        return Ok((missing.len() - listed.len()) as u64);
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(super::small_file::failed(&path, error))
        }
        _ => Ok(0),
    }
}

/// Returns the first entries, whose JSON has at most this number of bytes.
fn fitting<'a>(
    missing: impl Iterator<Item = &'a MissingBlob>,
    max_bytes: u64,
) -> Vec<&'a MissingBlob> {
    let mut bytes = 0;
    let fits = |one: &&MissingBlob| {
        let entry = serde_json::to_vec(one).map_or(max_bytes, |entry| entry.len() as u64);
        bytes += entry.saturating_add(INDENTATION_BYTES);
        bytes <= max_bytes
    };
    missing.take_while(fits).collect()
}

/// Returns a media type for the list. Records may have longer ones than media types are.
pub(super) fn listed_type(mime_type: &str) -> String {
    let mut bytes = 0;
    let fits = |letter: &char| {
        bytes += letter.len_utf8();
        bytes <= MAX_TYPE_BYTES
    };
    mime_type.chars().take_while(fits).collect()
}

const MINUTE_MICROS: i64 = 60 * 1_000_000;
const DAY_MICROS: i64 = 24 * 60 * MINUTE_MICROS;

/// The largest list, of some hundred thousand blobs.
const MAX_BYTES: u64 = 64 << 20;

/// The bytes of a media type in the list. Registered ones have at most 255.
const MAX_TYPE_BYTES: usize = 256;

/// More bytes than the line ends and the indentation of an entry have.
const INDENTATION_BYTES: u64 = 128;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pds_core::data::cid::Codec;

    use super::*;

    fn entry(number: u32, mime_type: &str) -> MissingBlob {
        MissingBlob {
            cid: Cid::of(Codec::Raw, &number.to_be_bytes()),
            path: format!("com.example.note/{number}"),
            size: Some(u64::MAX),
            mime_type: listed_type(mime_type),
            reason: Reason::WrongHash,
            status: Some(404),
            tries: u32::MAX,
            last_try: crate::clock::now(),
        }
    }

    #[test]
    fn a_list_that_is_written_can_be_read() {
        let home = tempfile::tempdir().unwrap();
        let long = "\u{1}".repeat(2000);
        let entries = (0..50_000).map(|number| entry(number, &long));
        let missing: BTreeMap<Cid, MissingBlob> = entries.map(|one| (one.cid, one)).collect();
        let unlisted = write(home.path(), &missing).unwrap();
        let bytes = home.path().join(MISSING_BLOBS_FILE).metadata().unwrap().len();
        assert!(bytes > MAX_BYTES * 9 / 10, "{bytes}");
        let read = read(home.path()).unwrap();
        assert_eq!(read.len() as u64 + unlisted, 50_000);
        assert!(read.iter().eq(missing.iter().take(read.len())));
    }

    #[test]
    fn media_types_are_cut_at_a_letter() {
        assert_eq!(listed_type("image/png"), "image/png");
        assert_eq!(listed_type(&"é".repeat(200)).len(), 256);
        assert_eq!(listed_type(&format!("x{}", "é".repeat(200))).len(), 255);
    }
}
