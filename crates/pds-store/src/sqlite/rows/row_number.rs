//! The numbers of the rows whose key is a text.

use crate::sqlite::checksum::Sum;

/// Returns the number of a row with this key: the first eight bytes of a SHA-256 over the table and
/// the key.
pub(crate) fn row_of(table: &str, key: &[&str]) -> i64 {
    key.iter().fold(Sum::of(table), |sum, text| sum.text(text)).finish()
}
