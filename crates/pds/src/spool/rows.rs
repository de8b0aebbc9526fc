//! Rows of bytes in the order in which they were written.

use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// Rows of bytes in a temporary file, written once and read as often as needed.
pub(crate) struct SpooledRows {
    file: BufWriter<SpooledTempFile>,
    len: u64,
}

impl Default for SpooledRows {
    fn default() -> Self {
        let file = BufWriter::with_capacity(BUFFER_BYTES, SpooledTempFile::new(MEMORY_BYTES));
        Self { file, len: 0 }
    }
}

impl SpooledRows {
    /// Adds a row, and returns the offset to read it from.
    pub(crate) fn push(&mut self, row: &[u8]) -> io::Result<u64> {
        let (offset, bytes) = (self.len, u32::try_from(row.len()).map_err(io::Error::other)?);
        self.file.write_all(&bytes.to_le_bytes())?;
        self.file.write_all(row)?;
        self.len = offset + (size_of::<u32>() + row.len()) as u64;
        Ok(offset)
    }

    /// Reads the rows. No row can be added meanwhile.
    pub(crate) fn reader(&mut self) -> io::Result<RowReader<'_>> {
        self.file.flush()?;
        let (file, end) = (self.file.get_mut(), self.len);
        file.seek(SeekFrom::Start(0))?;
        Ok(RowReader { file: BufReader::with_capacity(BUFFER_BYTES, file), at: 0, end })
    }
}

/// A reader of [`SpooledRows`]. Adjacent rows are read in large pieces.
pub(crate) struct RowReader<'r> {
    file: BufReader<&'r mut SpooledTempFile>,
    at: u64,
    end: u64,
}

impl RowReader<'_> {
    /// Reads the next row into a buffer. Returns `false` at the end.
    pub(crate) fn next(&mut self, row: &mut Vec<u8>) -> io::Result<bool> {
        if self.at >= self.end {
            return Ok(false);
        }
        let mut len = [0; size_of::<u32>()];
        self.file.read_exact(&mut len)?;
        row.resize(u32::from_le_bytes(len) as usize, 0);
        self.file.read_exact(row)?;
        self.at += (len.len() + row.len()) as u64;
        Ok(true)
    }

    /// Reads the row at an offset into a buffer.
    pub(crate) fn at(&mut self, offset: u64, row: &mut Vec<u8>) -> io::Result<()> {
        if offset != self.at {
            self.file.seek_relative(offset.cast_signed() - self.at.cast_signed())?;
            self.at = offset;
        }
        if self.next(row)? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The number of bytes that stay in memory.
const MEMORY_BYTES: usize = 4 << 20;

const BUFFER_BYTES: usize = 64 << 10;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_order_and_by_their_offsets() {
        let mut rows = SpooledRows::default();
        let row = |n: usize| vec![u8::try_from(n % 251).unwrap(); n % 7_000];
        // Much more than stays in memory.
        let offsets: Vec<u64> = (0..3_000).map(|n| rows.push(&row(n)).unwrap()).collect();
        for _ in 0..2 {
            let (mut reader, mut found) = (rows.reader().unwrap(), Vec::new());
            for n in 0..3_000 {
                assert!(reader.next(&mut found).unwrap());
                assert_eq!(found, row(n));
            }
            assert!(!reader.next(&mut found).unwrap());
            for n in [2_999, 0, 1, 2, 1_500, 7] {
                reader.at(offsets[n], &mut found).unwrap();
                assert_eq!(found, row(n));
            }
            let end = offsets[2_999] + 4 + row(2_999).len() as u64;
            assert!(reader.at(end, &mut found).is_err());
        }
    }
}
