//! Stores of AT Protocol repositories: the seam, and the back ends of one machine.
//!
//! - [`store`]: blocks, refs, the log and facts; in memory and in SQLite.
//! - [`blob`]: files that records refer to; in memory and in a directory.

pub mod blob;
pub mod store;
