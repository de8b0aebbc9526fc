//! The error for an invalid row, and the reasons that several tables share.

use crate::error::StoreError;

/// The error for a row that no writer of the format has written.
#[derive(Debug, thiserror::Error)]
#[error("{table} row {row}: {reason}")]
pub(crate) struct BadRow {
    pub(crate) table: &'static str,
    pub(crate) row: String,
    pub(crate) reason: &'static str,
}

impl From<BadRow> for StoreError {
    fn from(bad: BadRow) -> Self {
        Self::Damaged(Box::new(bad))
    }
}

/// Returns the start of a text that may be damaged.
pub(crate) fn shown(text: &str) -> String {
    let text: String = text.chars().take(MAX_SHOWN).collect();
    text.escape_debug().to_string()
}

/// The largest valid number of a change. No store reaches it, so a larger number is damage. The
/// numbers after it still fit in the integer.
pub(crate) const MAX_CHANGE: i64 = i64::MAX / 2;

pub(crate) const NO_CHANGE: &str = "a number is negative or too large";

pub(crate) const NO_CID: &str = "a CID cannot be read";

pub(crate) const OTHER_NUMBER: &str = "the row has the wrong number";

const MAX_SHOWN: usize = 80;
