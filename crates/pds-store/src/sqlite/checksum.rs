//! The checksum of a row: the first eight bytes of a SHA-256 over its table and all its columns.

use sha2::{Digest, Sha256};

/// Hashes the columns of a row in their order. [`finish`](Self::finish) returns the checksum.
pub(crate) struct Sum(Sha256);

impl Sum {
    /// Starts a row of a table.
    pub(crate) fn of(table: &str) -> Self {
        Self(Sha256::new()).text(table)
    }

    /// Adds an integer: the byte 1 and eight bytes, big-endian.
    pub(crate) fn integer(mut self, value: i64) -> Self {
        self.0.update([1]);
        self.0.update(value.to_be_bytes());
        self
    }

    /// Adds a text: the byte 2, four bytes of length, big-endian, and its bytes.
    pub(crate) fn text(mut self, value: &str) -> Self {
        self.0.update([2]);
        self.0.update(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.update(value.as_bytes());
        self
    }

    /// Adds a text, or the byte 0 for a null.
    pub(crate) fn maybe(mut self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(value),
            None => {
                self.0.update([0]);
                self
            }
        }
    }

    /// Returns the checksum as SQLite stores it.
    pub(crate) fn finish(self) -> i64 {
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(self.0.finalize());
        i64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_cannot_run_into_each_other() {
        let sums = [
            Sum::of("refs").text("ab").text("c"),
            Sum::of("refs").text("a").text("bc"),
            Sum::of("refs").text("abc"),
            Sum::of("refs").text("abc").maybe(None),
            Sum::of("refs").text("abc").text(""),
            Sum::of("refs").text("abc").integer(0),
            Sum::of("log").text("abc"),
        ];
        let sums = sums.map(Sum::finish);
        for (n, sum) in sums.iter().enumerate() {
            assert!(!sums[..n].contains(sum), "{n}");
        }
    }

    #[test]
    fn the_checksum_is_the_documented_one() {
        // SHA-256 of 02 00000004 "refs", 02 00000001 "a", 01 0000000000000007, 00.
        let bytes = b"\x02\x00\x00\x00\x04refs\x02\x00\x00\x00\x01a\x01\x00\x00\x00\x00\x00\x00\x00\x07\x00";
        let digest = <[u8; 32]>::from(Sha256::digest(bytes));
        let first = i64::from_be_bytes(*digest.first_chunk().expect("32 bytes"));
        assert_eq!(Sum::of("refs").text("a").integer(7).maybe(None).finish(), first);
    }
}
