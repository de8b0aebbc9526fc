//! Statements that are compiled once for each connection.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::sqlite::errors::store_error;

/// Runs a statement, compiled once.
pub(crate) fn run(
    to: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<u64, StoreError> {
    let ran = to.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
    ran.map(|rows| rows as u64).map_err(store_error)
}
