//! AT Protocol repositories as values: names, blocks, the tree, commits, CAR files, identities.
//!
//! Nothing in this crate opens a file or a connection, or reads the clock. Blocks are read through
//! [`Blocks`](data::block::Blocks), files through [`ReadAt`](car::read_at::ReadAt) or [`std::io::Read`]. The crate
//! contains no C.
//!
//! Modules, from the bottom up:
//!
//! - [`syntax`]: names, parsed once.
//! - [`data`]: CIDs, blocks, the data model in DAG-CBOR and JSON, every limit.
//! - [`crypto`]: keys and signatures.
//! - [`mst`]: the Merkle search tree.
//! - [`car`]: CAR files.
//! - [`commit`]: the signed statement of what a repository holds.
//! - [`identity`]: DID documents and did:plc operation logs.
//! - [`sync`]: the events of a host's stream.

pub mod car;
pub mod commit;
pub mod commit_fields;
pub mod crypto;
pub mod data;
pub mod identity;
pub mod mst;
pub mod sync;
pub mod syntax;
