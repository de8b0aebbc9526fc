//! The calls of the protocol that the client makes. Each answer has only the fields that are used.

pub mod identity;
pub(crate) mod parsed;
pub mod repo;
pub mod server;
pub mod sync;
