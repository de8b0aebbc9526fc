//! The conversion of errors of the server and the connection into store errors.

use postgres::error::SqlState;
use postgres::types::FromSql;
use postgres::{Error, Row};

use pds_store::error::{BoxError, StoreError};

/// The error of a change whose acknowledgement was lost.
#[derive(Debug, thiserror::Error)]
#[error("the connection ended during the commit: the change was stored completely or not at all")]
pub(crate) struct UnknownOutcome(#[source] pub(crate) BoxError);

pub(crate) fn store_error(error: Error) -> StoreError {
    let Some(code) = error.code() else { return StoreError::Backend(error.into()) };
    match code {
        &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::LOCK_NOT_AVAILABLE => StoreError::Busy,
        &SqlState::DISK_FULL => StoreError::Full(error.into()),
        &SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly,
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => StoreError::Damaged(error.into()),
        &SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME => {
            StoreError::NotAStore("the database has no tables of a store".to_owned())
        }
        &SqlState::INVALID_CATALOG_NAME => {
            StoreError::NotAStore("the database does not exist".to_owned())
        }
        _ => StoreError::Backend(error.into()),
    }
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
