//! Signing keys: the present key, earlier keys, and key rotation.

pub(crate) mod commits;
pub(crate) mod first_key;
pub mod handle;
pub(crate) mod known;
pub mod redated;
mod rotation;
