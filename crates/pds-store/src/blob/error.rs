//! The errors of blob stores.

use std::path::PathBuf;

/// The error for a blob that cannot be stored, read or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The source of a new blob could not be read.
    #[error("cannot read the new blob")]
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
    /// A back end without files failed.
    #[error("the blob store failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}
