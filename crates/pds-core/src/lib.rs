//! AT Protocol repositories as values: names, blocks, the tree, commits, CAR files, identities.
//!
//! Nothing in this crate reads or writes a file of its own accord, opens a connection or asks for the
//! time. Blocks are read through [`data::Blocks`], files through [`car::ReadAt`] or [`std::io::Read`].
//! It has no C and compiles for WebAssembly.
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

pub mod car;
pub mod commit;
pub mod crypto;
pub mod data;
pub mod identity;
pub mod mst;
pub mod syntax;
