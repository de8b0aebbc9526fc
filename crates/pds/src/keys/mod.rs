//! Signing keys: the present key, earlier keys, and key rotation.

pub(crate) mod believed;
pub(crate) mod commits;
pub(crate) mod first_key;
pub mod handle;
pub(crate) mod known;
pub mod redated;
mod rotation;
pub(crate) mod signers;
