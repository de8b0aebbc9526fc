//! Batches and sorts of more rows than the memory can hold: in temporary files, in their order or sorted.
//!
//! Few rows stay in memory. A temporary file has no name, so it disappears with the process.

pub(crate) mod batch;
pub(crate) mod batch_rows;
pub(crate) mod changes;
pub(crate) mod draft;
pub(crate) mod errors;
pub(crate) mod rows;
pub(crate) mod sorter;
