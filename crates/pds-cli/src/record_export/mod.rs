//! Exports of records in forms that other programs read.

pub(crate) mod cells;
pub(crate) mod columns;
pub(crate) mod csv_files;
pub(crate) mod ndjson;
pub(crate) mod rejected;
