//! AT Protocol repositories on your own disk.
pub mod data;
pub mod mst;
