//! Errors of SQLite as errors of a store.

use rusqlite::{Error, ErrorCode, ffi};

use crate::store::StoreError;

pub(super) fn store_error(error: Error) -> StoreError {
    // A value of another type: the file is sound as a database, and damaged as a store.
    if let Error::FromSqlConversionFailure(..)
    | Error::InvalidColumnType(..)
    | Error::IntegralValueOutOfRange(..)
    | Error::Utf8Error(..) = error
    {
        return StoreError::Damaged(Box::new(error));
    }
    // The statements are always the same, so it is the tables that are not those of the format.
    if matches!(error.sqlite_error(), Some(e) if e.extended_code == ffi::SQLITE_ERROR) {
        return StoreError::Damaged(Box::new(error));
    }
    let code = error.sqlite_error().map(|e| (e.code, e.extended_code));
    match code {
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => StoreError::Busy,
        Some((ErrorCode::ReadOnly, _)) => StoreError::ReadOnly,
        Some((ErrorCode::DiskFull, _)) => StoreError::Full(Box::new(error)),
        // A write that fails for another reason than a full disk: a quota, a limit on file sizes.
        // The second one is about the file next to the WAL.
        Some((_, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE)) => {
            StoreError::Full(Box::new(error))
        }
        // A page that was promised is not there: the file was cut.
        Some((_, ffi::SQLITE_IOERR_SHORT_READ)) => StoreError::Damaged(Box::new(error)),
        Some((ErrorCode::NotADatabase, _)) => {
            StoreError::NotAStore("not a SQLite database".to_owned())
        }
        // A value longer than any, a query that does not end, and a page that claims more memory than
        // there is: none of them comes from what was written.
        Some((
            ErrorCode::DatabaseCorrupt
            | ErrorCode::TooBig
            | ErrorCode::OperationInterrupted
            | ErrorCode::OutOfMemory,
            _,
        )) => StoreError::Damaged(Box::new(error)),
        _ => StoreError::Backend(Box::new(error)),
    }
}

/// Tells whether SQLite could not open a file.
pub(super) fn cannot_open(error: &StoreError) -> bool {
    let StoreError::Backend(error) = error else {
        return false;
    };
    let error = error.downcast_ref::<Error>().and_then(Error::sqlite_error);
    error.is_some_and(|error| error.code == ErrorCode::CannotOpen)
}
