//! The check of blobs that records refer to.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;

use crate::blobs::MissingBlobs;
use crate::error::{Error, Result};
use crate::model::finding::{Code, Finding, Severity, Subject};
use crate::model::progress::{Progress, StepKind};
use crate::model::report::Report;
use crate::snapshot::Snapshot;
use crate::verify::handle::Verify;
use pds_core::data::blob_ref::BlobRef;
use pds_core::data::cid::Cid;
use pds_store::blob::store::BlobStore;

impl Verify<'_> {
    /// Returns the missing blobs that records of the present state refer to.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::missing_blobs`].
    pub fn missing_blobs(&self) -> Result<MissingBlobs> {
        self.parts.snapshot()?.missing_blobs(self.parts.blobs.as_ref())
    }
}

/// Checks the presence, hash and size of every blob that a record refers to. Each blob is read once.
///
/// Adds the counts to the report of an earlier verification.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::verify::blobs::verify_blobs;
///
/// let mut report = repo.verify().present(&Default::default(), &mut |_| {})?;
/// let (snapshot, blobs) = (repo.snapshot()?, repo.blobs().as_ref());
/// let progress = pds::Progress::default();
/// verify_blobs(&snapshot, blobs, progress, &mut report, &mut |finding| println!("{finding}"))?;
/// assert!(report.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error`] if the repository cannot be read. An unreadable blob is a finding.
pub fn verify_blobs(
    snapshot: &Snapshot,
    blobs: &dyn BlobStore,
    progress: Progress<'_>,
    report: &mut Report,
    found: &mut dyn FnMut(Finding),
) -> Result<()> {
    // The size of each blob, or the finding for every reference to it.
    let mut known: HashMap<Cid, Result<u64, (Code, String)>> = HashMap::new();
    // The verification of the repository has reported errors in the tree.
    let mut pass_over = |error: Error| if error.is_corrupt() { Ok(()) } else { Err(error) };
    snapshot.each_blob_reporting(Progress::default(), &mut pass_over, &mut |path, blob| {
        let Some(blob) = blob else { return Ok(()) };
        let BlobRef { cid, size_bytes, .. } = blob;
        let state = match known.entry(cid) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                progress.one(StepKind::Blobs);
                new.insert(check(blobs, &cid))
            }
        };
        let wrong = match state {
            Ok(size) if size_bytes.is_some_and(|said| said != *size) => {
                let said = size_bytes.unwrap_or_default();
                Some((Code::BlobSize, format!("{size} bytes, but the record says {said}")))
            }
            Ok(_) => None,
            Err(wrong) => Some(wrong.clone()),
        };
        if let Some((code, message)) = wrong {
            let path = path.to_string();
            let mut finding = Finding::new(code, message).cid(cid).path(path.as_bytes());
            finding.subject = Some(Subject::Blob(blob));
            report.errors += u64::from(finding.severity() == Severity::Error);
            found(finding);
        }
        Ok(())
    })?;
    report.blobs = known.len() as u64;
    Ok(())
}

fn check(blobs: &dyn BlobStore, cid: &Cid) -> Result<u64, (Code, String)> {
    let unread = |error: String| (Code::BlobDamaged, format!("the blob cannot be read: {error}"));
    let opened = blobs.open(cid).map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        unread(format!("{error}{cause}"))
    })?;
    let Some(mut blob) = opened else {
        return Err((Code::BlobMissing, "the blob is not stored".to_owned()));
    };
    io::copy(&mut blob.reader, &mut io::sink()).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => (Code::BlobDamaged, error.to_string()),
        _ => unread(error.to_string()),
    })
}
