//! The conversion of errors of the server and the connection into store errors.

use std::io;

use postgres::error::SqlState;
use postgres::types::FromSql;
use postgres::{Error, Row};

use pds_store::error::{BoxError, StoreError};

/// The error of a change whose acknowledgement was lost.
#[derive(Debug, thiserror::Error)]
#[error("the connection ended during the commit: the change was stored completely or not at all")]
pub(crate) struct UnknownOutcome(#[source] pub(crate) BoxError);

pub(crate) fn store_error(error: Error) -> StoreError {
    let Some(code) = error.code() else {
        let is_closed = error.is_closed();
        return if is_closed { no_answer(error) } else { StoreError::Backend(error.into()) };
    };
    match code {
        &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::LOCK_NOT_AVAILABLE => StoreError::Busy,
        &SqlState::DISK_FULL => StoreError::Full(error.into()),
        &SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly,
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => StoreError::Damaged(error.into()),
        // The account counts its changes, so the number of a new log row is free.
        &SqlState::UNIQUE_VIOLATION => StoreError::Damaged(error.into()),
        &SqlState::ADMIN_SHUTDOWN
        | &SqlState::CRASH_SHUTDOWN
        | &SqlState::CANNOT_CONNECT_NOW
        | &SqlState::TOO_MANY_CONNECTIONS => no_answer(error),
        &SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME => {
            StoreError::NotAStore("the database has no tables of a store".to_owned())
        }
        &SqlState::INVALID_CATALOG_NAME => {
            StoreError::NotAStore("the database does not exist".to_owned())
        }
        _ => StoreError::Backend(error.into()),
    }
}

/// Returns the error of a connection that could not be made. The name of a host that is not found has
/// no kind of its own.
pub(crate) fn connect_error(error: Error) -> StoreError {
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref());
    match source.map(io::Error::kind) {
        Some(_) => no_answer(error),
        None => store_error(error),
    }
}

/// Returns the error of a server that does not answer, or of a connection that has ended. Its kind
/// lets users tell it from a refusal.
fn no_answer(error: Error) -> StoreError {
    StoreError::Backend(io::Error::new(io::ErrorKind::NotConnected, error).into())
}

/// Returns a column of a row. Tables with other columns were not made by this crate.
pub(crate) fn column<'r, T: FromSql<'r>>(row: &'r Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| StoreError::Damaged(error.into()))
}

/// Returns a number of the store. The server has no unsigned integers.
pub(crate) fn number(row: &Row, index: usize) -> Result<u64, StoreError> {
    let found: i64 = column(row, index)?;
    u64::try_from(found).map_err(|_| damaged(format!("the number {found} is negative")))
}

pub(crate) fn damaged(what: String) -> StoreError {
    StoreError::Damaged(what.into())
}

/// Returns the error for an account that was deleted while it was open.
pub(crate) fn no_account() -> StoreError {
    StoreError::NotAStore("the database has no such account".to_owned())
}
