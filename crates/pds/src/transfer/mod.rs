//! Transfer by CAR files and from other repositories: import, copies, export and proofs.

pub(crate) mod admission;
mod admit;
mod advance;
pub(crate) mod arriving;
pub mod bring_blobs;
pub mod copy;
pub(crate) mod counted_blocks;
pub mod earlier;
pub mod export;
pub mod export_history;
pub mod handle;
pub mod import;
pub mod import_from;
pub(crate) mod incoming;
pub mod prove;
pub(crate) mod state_blocks;
pub(crate) mod succession;
mod written_blocks;
