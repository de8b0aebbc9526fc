//! The conformance suite that every store must pass.
//!
//! Every assertion names the rule that it checks, so a failure tells the author of a back end what
//! to fix.
//!
//! | function | stores |
//! |---|---|
//! | [`check`](suite::check) | every store |
//! | [`check_durable`](durable::check_durable) | durable stores |
//! | [`check_shared`](shared::check_shared) | stores that several processes use |
//! | [`check_damage`](damage::check_damage) | stores whose bytes can be damaged |
//! | [`check_large`](large::check_large) | stores with more content than fits in memory |
//!
//! ```
//! use pds::store::{MemoryStore, conformance};
//!
//! conformance::check(&|| Box::new(MemoryStore::default()));
//! ```

pub(crate) mod blocks;
pub mod damage;
pub mod durable;
pub(crate) mod facts;
pub mod large;
pub(crate) mod log;
pub(crate) mod maintain;
pub(crate) mod queries;
pub(crate) mod race;
pub(crate) mod refs;
pub mod shared;
pub mod suite;
pub(crate) mod support;
pub(crate) mod sweep;
pub(crate) mod sweep_change;
pub(crate) mod sweep_log;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
pub(crate) mod views;
