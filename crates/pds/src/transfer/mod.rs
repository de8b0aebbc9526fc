//! Transfer by CAR files: import, export and proofs.

pub mod export;
pub mod handle;
pub mod import;
pub(crate) mod incoming;
pub mod prove;
