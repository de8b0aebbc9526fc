//! Errors of blob stores.

use std::path::PathBuf;

/// A blob that could not be stored or read.
///
/// ```
/// use pds::blob::{BlobDirectory, BlobError, BlobStore};
///
/// let blobs = BlobDirectory::new("/dev/null/blobs");
/// assert!(matches!(blobs.put(&mut &b"x"[..]), Err(BlobError::Io { .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The bytes to be stored could not be read.
    #[error("cannot read the blob that is to be stored")]
    Source(#[source] std::io::Error),
    /// A file could not be read or written.
    #[error("cannot access {}", path.display())]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A back end that does not use files failed.
    #[error("the blob store failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}
