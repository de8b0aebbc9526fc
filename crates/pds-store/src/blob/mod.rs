//! Blobs: files that records refer to, such as images and videos.
//!
//! A blob is named by the CID of its bytes (codec raw). It is stored next to the repository and is
//! never a block of it. Reading and writing stream the bytes and hash them. (Specification
//! "Blobs".) Every implementation of [`BlobStore`](store::BlobStore) must pass `conformance` (feature `testing`).

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod directory;
pub mod error;
pub(crate) mod files;
pub(crate) mod hashing;
pub mod media_type;
pub mod memory;
pub mod store;
