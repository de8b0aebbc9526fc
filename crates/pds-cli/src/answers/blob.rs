//! The answers of `pds blob`.

use std::fmt;
use std::path::Path;

use pds::data::Cid;
use serde::{Serialize, Serializer};

#[derive(Serialize)]
pub(crate) struct BlobRow {
    pub(crate) cid: Cid,
    pub(crate) size: u64,
}

display!(BlobRow, "{cid}\t{size}", cid, size);

/// A blob that is not stored, and the record that refers to it.
#[derive(Serialize)]
pub(crate) struct MissingRow {
    pub(crate) cid: Cid,
    /// `None` if the commit names no account.
    pub(crate) uri: Option<String>,
}

impl fmt::Display for MissingRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}", self.cid, self.uri.as_deref().unwrap_or("-"))
    }
}

/// The result of writing every blob as a file.
#[derive(Serialize)]
pub(crate) struct BlobExport {
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
    pub(crate) damaged: u64,
    pub(crate) dir: String,
    /// Files that had the right bytes already.
    pub(crate) kept: u64,
    /// References of records to blobs that are not stored.
    pub(crate) missing: u64,
}

impl BlobExport {
    pub(crate) fn of(dir: &Path) -> Self {
        let dir = dir.display().to_string();
        Self { blobs: 0, bytes: 0, damaged: 0, dir, kept: 0, missing: 0 }
    }
}

display!(
    BlobExport,
    "blobs    {blobs}\nbytes    {bytes}\nkept     {kept}\nmissing  {missing}\ndamaged  {damaged}\ndir      {dir}",
    blobs,
    bytes,
    kept,
    missing,
    damaged,
    dir
);

/// The result of hashing every blob.
#[derive(Default, Serialize)]
pub(crate) struct BlobCheck {
    pub(crate) damaged: Vec<Cid>,
    pub(crate) ok: bool,
    /// Blobs that could not be read, and the reasons.
    #[serde(serialize_with = "cids")]
    pub(crate) unreadable: Vec<(Cid, String)>,
    pub(crate) whole: u64,
}

fn cids<S: Serializer>(blobs: &[(Cid, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(blobs.iter().map(|(cid, _)| cid))
}

impl fmt::Display for BlobCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for cid in &self.damaged {
            writeln!(f, "{cid} is damaged")?;
        }
        for (cid, reason) in &self.unreadable {
            writeln!(f, "{cid} cannot be read: {reason}")?;
        }
        write!(f, "{} intact, {} damaged", self.whole, self.damaged.len())?;
        match self.unreadable.len() {
            0 => Ok(()),
            unread => write!(f, ", {unread} unreadable"),
        }
    }
}
