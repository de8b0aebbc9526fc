//! Statements that are compiled once for each connection.

use rusqlite::types::FromSql;
use rusqlite::{Connection, Params};

use crate::error::StoreError;
use crate::sqlite::errors::store_error;

/// Runs a statement, compiled once.
pub(crate) fn run(to: &Connection, sql: &str, values: impl Params) -> Result<u64, StoreError> {
    let ran = to.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
    ran.map(|rows| rows as u64).map_err(store_error)
}

/// Returns the value of a query for a single value.
pub(crate) fn one<T: FromSql>(from: &Connection, sql: &str) -> Result<T, StoreError> {
    let found = from.prepare_cached(sql);
    found.and_then(|mut found| found.query_row([], |row| row.get(0))).map_err(store_error)
}

/// Returns whether a query has a row.
pub(crate) fn has_row(
    from: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<bool, StoreError> {
    let found = from.prepare_cached(sql);
    found.and_then(|mut found| found.exists(values)).map_err(store_error)
}
