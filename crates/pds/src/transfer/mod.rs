//! CAR files in and out: import, export, proofs.

pub mod export;
pub mod handle;
pub mod import;
pub(crate) mod incoming;
pub mod prove;
