//! Salvage: reading the remains of a file that SQLite itself reports as damaged.

pub(crate) mod copy;
pub(crate) mod log;
pub(crate) mod pages;
pub(crate) mod refs;
pub mod saved;
pub(crate) mod scan;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
