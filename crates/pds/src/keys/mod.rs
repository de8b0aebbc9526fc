//! Signing keys: the present key, earlier keys, and key rotation.

pub mod handle;
pub(crate) mod known;
mod rotation;
