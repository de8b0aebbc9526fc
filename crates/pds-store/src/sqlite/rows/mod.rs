//! The rows of `refs`, `log`, `facts` and `state`, each with a checksum that is verified on
//! reading.

pub(crate) mod bad_row;
pub(crate) mod columns;
pub(crate) mod facts;
pub(crate) mod log;
pub(crate) mod refs;
pub(crate) mod row_number;
pub(crate) mod state;
