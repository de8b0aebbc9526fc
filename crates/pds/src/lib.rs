//! AT Protocol repositories on your own disk.
pub mod blob;
pub mod car;
pub mod commit;
pub mod crypto;
pub mod data;
pub mod mst;
pub mod repo;
pub mod store;
pub mod syntax;
