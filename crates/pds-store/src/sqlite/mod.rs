//! The embedded store: one SQLite file.
//!
//! Blocks are appended. The index that finds them is updated later and in bulk, so that it is
//! always written in order. One connection writes. Each read uses its own connection from a small
//! pool, so reads do not wait for each other, and a stream of blocks may read the store that it is
//! written to. `docs/format.md` describes the file. [`foreign`] and
//! [`foreign_reader`] read the files of other programs.

pub(crate) mod apply;
pub(crate) mod check;
pub(crate) mod checksum;
pub(crate) mod errors;
pub mod foreign;
pub mod foreign_reader;
pub(crate) mod immutable_file;
pub(crate) mod index;
pub(crate) mod index_filter;
pub(crate) mod index_row;
pub(crate) mod pool;
pub(crate) mod query_limit;
pub(crate) mod raw_blocks;
pub(crate) mod reader;
pub(crate) mod rows;
pub mod salvage;
pub mod schema;
pub(crate) mod statement;
pub mod store;
pub(crate) mod sweep;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
mod tests;
pub(crate) mod view;
pub(crate) mod writer;
