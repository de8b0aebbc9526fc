//! The errors of temporary files.

use std::env;
use std::io;

use crate::error::Error;

/// Returns the error of a temporary file.
pub(crate) fn temporary(source: io::Error) -> Error {
    Error::Io { path: env::temp_dir(), source }
}

/// Returns the error of a row that was read differently from how it was written.
pub(crate) fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a temporary file has changed")
}
