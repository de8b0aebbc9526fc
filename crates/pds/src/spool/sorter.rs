//! Rows of bytes in the order of their bytes: a merge sort of sorted runs in a temporary file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::Range;

use pds_core::car::read_at::ReadAt;

/// Sorts rows. It holds a limited number of bytes, whatever the number of rows.
pub(crate) struct Sorter {
    /// The bytes of the rows that are not in a run yet, and where each row is.
    bytes: Vec<u8>,
    rows: Vec<Range<u32>>,
    file: Option<BufWriter<File>>,
    runs: Vec<Range<u64>>,
    memory: usize,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::with_memory(MEMORY_BYTES)
    }
}

impl Sorter {
    fn with_memory(memory: usize) -> Self {
        Self { bytes: Vec::new(), rows: Vec::new(), file: None, runs: Vec::new(), memory }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &[u8]) -> io::Result<()> {
        let held = self.bytes.len() + self.rows.len() * size_of::<Range<u32>>();
        if held + row.len() > self.memory && !self.rows.is_empty() {
            self.spill()?;
        }
        let start = u32::try_from(self.bytes.len()).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(row);
        let end = u32::try_from(self.bytes.len()).map_err(io::Error::other)?;
        self.rows.push(start..end);
        Ok(())
    }

    /// Sorts the rows.
    pub(crate) fn finish(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(Sorted::InMemory { bytes: self.bytes, rows: self.rows });
        }
        self.spill()?;
        let Some(file) = self.file else { return Err(io::ErrorKind::NotFound.into()) };
        Ok(Sorted::InFile { file: file.into_inner()?, runs: self.runs })
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.rows.sort_unstable_by(|a, b| slice(bytes, a).cmp(slice(bytes, b)));
    }

    /// Writes the rows in memory as a sorted run.
    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        if self.file.is_none() {
            self.file = Some(BufWriter::with_capacity(BUFFER_BYTES, tempfile::tempfile()?));
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let start = self.runs.last().map_or(0, |run| run.end);
        let mut end = start;
        for row in self.rows.drain(..) {
            let row = slice(&self.bytes, &row);
            let len = u32::try_from(row.len()).map_err(io::Error::other)?;
            file.write_all(&len.to_le_bytes())?;
            file.write_all(row)?;
            end += (size_of::<u32>() + row.len()) as u64;
        }
        self.bytes.clear();
        self.runs.push(start..end);
        Ok(())
    }
}

fn slice<'b>(bytes: &'b [u8], row: &Range<u32>) -> &'b [u8] {
    bytes.get(row.start as usize..row.end as usize).unwrap_or_default()
}

/// Sorted rows, read as often as needed.
pub(crate) enum Sorted {
    InMemory { bytes: Vec<u8>, rows: Vec<Range<u32>> },
    InFile { file: File, runs: Vec<Range<u64>> },
}

impl Sorted {
    /// Reads the rows in their order.
    pub(crate) fn merge(&self) -> io::Result<MergedRows<'_>> {
        let (file, runs) = match self {
            Self::InMemory { bytes, rows } => {
                return Ok(MergedRows::InMemory { bytes, rows: rows.iter(), row: &[] });
            }
            Self::InFile { file, runs } => (file, runs),
        };
        let mut merge = Vec::new();
        let mut next = BinaryHeap::new();
        for (number, run) in runs.iter().enumerate() {
            let part = Part { file, rest: run.clone() };
            let mut run = Run(BufReader::with_capacity(BUFFER_BYTES, part));
            let mut row = Vec::new();
            if run.next(&mut row)? {
                next.push(Reverse((row, number)));
            }
            merge.push(run);
        }
        Ok(MergedRows::InFile { runs: merge, next, row: Vec::new() })
    }
}

/// A pass over sorted rows.
pub(crate) enum MergedRows<'s> {
    InMemory {
        bytes: &'s [u8],
        rows: std::slice::Iter<'s, Range<u32>>,
        row: &'s [u8],
    },
    InFile {
        runs: Vec<Run<'s>>,
        /// The next row of each run.
        next: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
        row: Vec<u8>,
    },
}

impl MergedRows<'_> {
    /// Goes to the next row. Returns `false` at the end.
    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        match self {
            Self::InMemory { bytes, rows, row } => {
                let next = rows.next();
                *row = next.map_or(&[], |next| slice(bytes, next));
                Ok(next.is_some())
            }
            Self::InFile { runs, next, row } => {
                let Some(Reverse((first, number))) = next.pop() else { return Ok(false) };
                let mut spare = std::mem::replace(row, first);
                if let Some(run) = runs.get_mut(number)
                    && run.next(&mut spare)?
                {
                    next.push(Reverse((spare, number)));
                }
                Ok(true)
            }
        }
    }

    /// Returns the present row. Before the first call of [`advance`](Self::advance), it is empty.
    pub(crate) fn row(&self) -> &[u8] {
        match self {
            Self::InMemory { row, .. } => row,
            Self::InFile { row, .. } => row,
        }
    }
}

/// A reader of one run.
pub(crate) struct Run<'s>(BufReader<Part<'s>>);

impl Run<'_> {
    /// Reads the next row into a buffer. Returns `false` at the end.
    fn next(&mut self, row: &mut Vec<u8>) -> io::Result<bool> {
        if self.0.buffer().is_empty() && self.0.get_ref().rest.is_empty() {
            return Ok(false);
        }
        let mut len = [0; size_of::<u32>()];
        self.0.read_exact(&mut len)?;
        row.resize(u32::from_le_bytes(len) as usize, 0);
        self.0.read_exact(row)?;
        Ok(true)
    }
}

/// A part of a file.
struct Part<'s> {
    file: &'s File,
    rest: Range<u64>,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let many = left.min(buffer.len());
        let read =
            self.file.read_at(buffer.get_mut(..many).unwrap_or_default(), self.rest.start)?;
        self.rest.start += read as u64;
        Ok(read)
    }
}

/// The number of bytes that stay in memory. A run has as many.
const MEMORY_BYTES: usize = 16 << 20;

const BUFFER_BYTES: usize = 64 << 10;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn all(sorted: &Sorted) -> Vec<Vec<u8>> {
        let (mut merge, mut rows) = (sorted.merge().unwrap(), Vec::new());
        while merge.advance().unwrap() {
            rows.push(merge.row().to_vec());
        }
        rows
    }

    #[test]
    fn rows_are_sorted_in_memory_and_in_a_file() {
        let mut rows: Vec<Vec<u8>> = (0..5_000_u32)
            .map(|n| n.wrapping_mul(0x9e37_79b1).to_string().repeat(n as usize % 5).into_bytes())
            .collect();
        for memory in [usize::MAX, 10_000, 1] {
            let mut sorter = Sorter::with_memory(memory);
            rows.iter().for_each(|row| sorter.push(row).unwrap());
            let sorted = sorter.finish().unwrap();
            assert_eq!(matches!(sorted, Sorted::InFile { .. }), memory < usize::MAX);
            let found = all(&sorted);
            assert_eq!(found, all(&sorted), "a second pass");
            rows.sort();
            assert_eq!(found, rows, "{memory}");
        }
        assert!(all(&Sorter::default().finish().unwrap()).is_empty());
    }
}
