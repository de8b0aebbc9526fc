//! The conversion of SQLite errors into store errors.

use std::fs::TryLockError;
use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};

use crate::error::StoreError;

pub(crate) fn store_error(error: Error) -> StoreError {
    // A value has another type: the file is an intact database, but a damaged store.
    if let Error::FromSqlConversionFailure(..)
    | Error::InvalidColumnType(..)
    | Error::IntegralValueOutOfRange(..)
    | Error::Utf8Error(..) = error
    {
        return StoreError::Damaged(Box::new(error));
    }
    // The statements are constant, so the tables differ from those of the format.
    if matches!(error.sqlite_error(), Some(e) if e.extended_code == ffi::SQLITE_ERROR) {
        return StoreError::Damaged(Box::new(error));
    }
    let code = error.sqlite_error().map(|e| (e.code, e.extended_code));
    match code {
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => StoreError::Busy,
        // Some network and user file systems have no locks, or no memory that processes share.
        Some(
            (ErrorCode::FileLockingProtocolFailed, _)
            | (
                _,
                ffi::SQLITE_IOERR_LOCK
                | ffi::SQLITE_IOERR_UNLOCK
                | ffi::SQLITE_IOERR_RDLOCK
                | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
                | ffi::SQLITE_IOERR_SHMOPEN
                | ffi::SQLITE_IOERR_SHMLOCK
                | ffi::SQLITE_IOERR_SHMMAP,
            ),
        ) => StoreError::NoLocks(Box::new(error)),
        Some((ErrorCode::ReadOnly, _)) => StoreError::ReadOnly,
        Some((ErrorCode::DiskFull, _)) => StoreError::Full(Box::new(error)),
        // A failed write without a full disk: a quota, or a limit on file sizes. The second code is
        // about the file next to the WAL.
        Some((_, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE)) => {
            StoreError::Full(Box::new(error))
        }
        // A page that should exist is missing: the file was truncated.
        Some((_, ffi::SQLITE_IOERR_SHORT_READ)) => StoreError::Damaged(Box::new(error)),
        Some((ErrorCode::NotADatabase, _)) => {
            StoreError::NotAStore("not a SQLite database".to_owned())
        }
        // A value above every limit, a query without end, or a page that claims more memory than
        // exists. No writer of the format causes them.
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

/// Finds the cause of an error that SQLite gives for a busy store and for a network file system without a lock server.
pub(crate) fn busy_or_no_locks(error: StoreError, path: &Path) -> StoreError {
    if !matches!(error, StoreError::Busy) {
        return error;
    }
    // A file of its own: closing a second handle of the database would drop all locks that this process has on it.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match tempfile::tempfile_in(dir).map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::Error(reason))) => StoreError::NoLocks(Box::new(reason)),
        _ => error,
    }
}

/// Converts an error of the file system.
pub(crate) fn file_error(error: std::io::Error) -> StoreError {
    StoreError::Backend(Box::new(error))
}

/// Returns whether SQLite could not open a file.
pub(crate) fn cannot_open(error: &StoreError) -> bool {
    let StoreError::Backend(error) = error else {
        return false;
    };
    let error = error.downcast_ref::<Error>().and_then(Error::sqlite_error);
    error.is_some_and(|error| error.code == ErrorCode::CannotOpen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_sqlite_names_its_cause() {
        let of = |code| store_error(Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(matches!(of(ffi::SQLITE_READONLY), StoreError::ReadOnly));
        assert!(matches!(of(ffi::SQLITE_IOERR_SHORT_READ), StoreError::Damaged(_)));
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_SHMSIZE] {
            assert!(matches!(of(code), StoreError::Full(_)), "{code}");
        }
        let codes = [ffi::SQLITE_CANTOPEN, ffi::SQLITE_IOERR, ffi::SQLITE_FULL];
        assert_eq!(codes.map(|code| cannot_open(&of(code))), [true, false, false]);
    }

    #[test]
    fn a_file_system_without_locks_is_named() {
        for code in [
            ffi::SQLITE_PROTOCOL,
            ffi::SQLITE_IOERR_LOCK,
            ffi::SQLITE_IOERR_RDLOCK,
            ffi::SQLITE_IOERR_SHMLOCK,
            ffi::SQLITE_IOERR_SHMMAP,
        ] {
            let error = store_error(Error::SqliteFailure(ffi::Error::new(code), None));
            assert!(matches!(error, StoreError::NoLocks(_)), "{code}: {error:?}");
        }
    }
}
