//! Helpers for JSON: values written as text, and JSON over several lines.

use std::fmt;
use std::io;

use serde::{Serialize, Serializer};

/// Serializes a value as its text, or as null.
pub(crate) fn optional_text<S: Serializer>(
    value: &Option<impl fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Displays a value as JSON over several lines, piece by piece, because the text may be large.
pub(crate) struct Pretty<'a, T>(pub(crate) &'a T);

impl<T: Serialize> fmt::Display for Pretty<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde_json::to_writer_pretty(Pieces(f), self.0).map_err(|_| fmt::Error)
    }
}

struct Pieces<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl io::Write for Pieces<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
