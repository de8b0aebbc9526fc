//! The CAR reader, an iterator of verified blocks.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use std::fmt;
use std::io::Read;
use std::ops::Range;

use crate::car::error::CarError;
use crate::data::block::{Block, BlockRef};
use crate::data::cbor::Cursor;
use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::data::limits::{MAX_BLOCK_BYTES, MAX_CAR_HEADER_BYTES, MAX_VARINT_BYTES};

/// Reads a CAR file from start to end, one block at a time, and hashes each block.
///
/// The reader has one buffer, which grows only for larger blocks. As an iterator it returns owned
/// blocks; [`next_section`](Self::next_section) returns borrowed ones.
///
/// ```
/// use pds::car::{CarReader, CarWriter};
/// use pds::data::{Block, Codec};
///
/// let block = Block::new(Codec::Cbor, *b"\xa0");
/// let mut writer = CarWriter::new(Vec::new(), &[block.cid()])?;
/// writer.block(block.borrowed())?;
/// let file = writer.finish()?;
///
/// let mut reader = CarReader::new(&file[..])?;
/// assert_eq!(reader.roots(), [block.cid()]);
/// assert_eq!(reader.next().transpose()?, Some(block));
/// assert!(reader.next().is_none());
/// # Ok::<(), pds::car::CarError>(())
/// ```
pub struct CarReader<R> {
    input: Input<R>,
    roots: Vec<Cid>,
    finished: bool,
}

impl<R> fmt::Debug for CarReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarReader")
            .field("roots", &self.roots)
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

/// A block with its place in the file.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// The start of the section, in bytes from the start of the file.
    pub offset: u64,
    /// The start of the CID in the section, in bytes from the start of the file.
    pub cid_offset: u64,
    /// The block.
    pub block: BlockRef<'a>,
}

/// A section of a file that was not hashed.
pub(crate) struct Claim<'a> {
    pub(crate) offset: u64,
    pub(crate) cid_offset: u64,
    pub(crate) cid: Cid,
    pub(crate) data: &'a [u8],
}

impl<R: Read> CarReader<R> {
    /// Returns a reader after reading the header.
    ///
    /// # Errors
    ///
    /// [`CarError::Header`] if this is not a CAR file of version 1, [`CarError::Truncated`] if it
    /// ends inside the header.
    pub fn new(from: R) -> Result<Self, CarError> {
        let mut input = Input::new(from);
        let header = |reason: &str| CarError::Header { reason: reason.to_owned() };
        let len = match input.varint("the header") {
            Ok(Some(len)) => len,
            Ok(None) => return Err(header("the file is empty")),
            Err(CarError::Section { reason, .. }) => return Err(header(reason)),
            Err(error) => return Err(error),
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len == 0 {
            return Err(header("the header has no bytes"));
        }
        if len > MAX_CAR_HEADER_BYTES {
            return Err(header("the header is longer than the limit"));
        }
        let range = input.take(len, 0, "the header")?;
        let roots = read_header(input.slice(range))
            .map_err(|error| CarError::Header { reason: error.to_string() })?;
        Ok(Self { input, roots, finished: false })
    }

    /// Returns the roots. The first one is the commit.
    #[must_use]
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// Returns the number of bytes that were read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.input.offset
    }

    /// Reads the next block and returns it borrowed, or `None` at the end of the file.
    ///
    /// After an error that [is about one block](CarError::is_one_block), the next call reads on.
    /// After any other error, the reader is at its end.
    ///
    /// # Errors
    ///
    /// [`CarError`] with the byte offset.
    pub fn next_section(&mut self) -> Result<Option<Section<'_>>, CarError> {
        let Some(Claim { offset, cid_offset, cid, data }) = self.next_claim()? else {
            return Ok(None);
        };
        let block = BlockRef::verified(cid, data)
            .map_err(|source| CarError::damaged(offset, cid, data, source))?;
        Ok(Some(Section { offset, cid_offset, block }))
    }

    /// As [`next_section`](Self::next_section), but without hashing: the CID is that in the file.
    pub(crate) fn next_claim(&mut self) -> Result<Option<Claim<'_>>, CarError> {
        if self.finished {
            return Ok(None);
        }
        let start = self.input.offset;
        let range = match self.input.section() {
            Ok(Some(range)) => range,
            Ok(None) => {
                self.finished = true;
                return Ok(None);
            }
            Err(error) => {
                self.finished = true;
                return Err(error);
            }
        };
        let section_len = range.len() as u64;
        let bytes = self.input.slice(range);
        let (cid, data) = bytes.split_at_checked(Cid::LEN).unwrap_or_default();
        let cid = Cid::from_bytes(cid)
            .map_err(|source| CarError::ForeignCid { offset: start, source })?;
        let cid_offset = self.input.offset.saturating_sub(section_len);
        Ok(Some(Claim { offset: start, cid_offset, cid, data }))
    }
}

impl<R: Read> Iterator for CarReader<R> {
    type Item = Result<Block, CarError>;

    fn next(&mut self) -> Option<Self::Item> {
        let section = self.next_section().transpose()?;
        Some(section.map(|section| section.block.to_block()))
    }
}

/// Reads the version and the roots. Other keys of the header are metadata and ignored (DASL "CAR").
fn read_header(bytes: &[u8]) -> Result<Vec<Cid>, DataError> {
    crate::data::record_check::check_canonical(bytes)?;
    let (mut version, mut roots) = (None, None);
    let mut cursor = Cursor::new(bytes);
    for _ in 0..cursor.map()? {
        match cursor.key(None)? {
            "version" => version = Some(cursor.unsigned()?),
            "roots" => {
                let mut links = Vec::new();
                for _ in 0..cursor.list()? {
                    links.push(cursor.link()?);
                }
                roots = Some(links);
            }
            _ => cursor.skip_item()?,
        }
    }
    let wrong = |reason| DataError::Model { place: "header".to_owned(), reason };
    match (version, roots) {
        (Some(1), Some(roots)) => Ok(roots),
        (Some(1), None) => Err(wrong("roots are missing")),
        (Some(_), _) => Err(wrong("the version is not 1")),
        (None, _) => Err(wrong("the version is missing")),
    }
}

/// The buffer between a file and its sections.
struct Input<R> {
    from: R,
    buffer: Vec<u8>,
    /// The range of the buffer that is filled and not yet consumed.
    ready: Range<usize>,
    /// The number of bytes that were consumed.
    offset: u64,
}

impl<R: Read> Input<R> {
    fn new(from: R) -> Self {
        Self { from, buffer: vec![0; BUFFER_BYTES], ready: 0..0, offset: 0 }
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Consumes the next section and returns the range of its CID and data in the buffer.
    fn section(&mut self) -> Result<Option<Range<usize>>, CarError> {
        let start = self.offset;
        let Some(len) = self.varint("a section")? else {
            return Ok(None);
        };
        let wrong = |reason| Err(CarError::Section { offset: start, reason });
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len == 0 {
            return wrong("a section without bytes");
        }
        if len > MAX_BLOCK_BYTES.saturating_add(Cid::LEN) {
            return wrong("a section larger than the limit");
        }
        if len < Cid::LEN {
            // The section is shorter than any supported CID.
            return wrong("a section too short for a CID");
        }
        self.take(len, start, "a section").map(Some)
    }

    /// Consumes a number, or returns `None` at the end of the file.
    fn varint(&mut self, within: &'static str) -> Result<Option<u64>, CarError> {
        let start = self.offset;
        self.fill(MAX_VARINT_BYTES)?;
        let ready = self.buffer.get(self.ready.clone()).unwrap_or_default();
        if ready.is_empty() {
            return Ok(None);
        }
        let mut n = 0_u64;
        for (index, byte) in ready.iter().take(MAX_VARINT_BYTES).enumerate() {
            let shift = u32::try_from(index).unwrap_or(u32::MAX).saturating_mul(7);
            n |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                if *byte == 0 && index > 0 {
                    let reason = "a length not in its shortest form";
                    return Err(CarError::Section { offset: start, reason });
                }
                self.consume(index.saturating_add(1));
                return Ok(Some(n));
            }
        }
        if ready.len() < MAX_VARINT_BYTES {
            return Err(CarError::Truncated { offset: start, within });
        }
        Err(CarError::Section { offset: start, reason: "a length of more than nine bytes" })
    }

    /// Consumes `len` bytes and returns their range in the buffer.
    fn take(
        &mut self,
        len: usize,
        start: u64,
        within: &'static str,
    ) -> Result<Range<usize>, CarError> {
        self.fill(len)?;
        if self.ready.len() < len {
            return Err(CarError::Truncated { offset: start, within });
        }
        let from = self.ready.start;
        self.consume(len);
        Ok(from..from.saturating_add(len))
    }

    fn consume(&mut self, len: usize) {
        self.ready.start = self.ready.start.saturating_add(len);
        self.offset = self.offset.saturating_add(len as u64);
    }

    /// Reads until `len` bytes are in the buffer, or until the file ends.
    ///
    /// The buffer grows with the bytes that arrive, not with the claimed length.
    fn fill(&mut self, len: usize) -> Result<(), CarError> {
        if self.ready.len() >= len {
            return Ok(());
        }
        self.buffer.copy_within(self.ready.clone(), 0);
        self.ready = 0..self.ready.len();
        while self.ready.len() < len {
            if self.ready.end == self.buffer.len() {
                let grown = self.buffer.len().saturating_mul(2);
                self.buffer.resize(grown.min(len.max(BUFFER_BYTES)), 0);
            }
            let free = self.buffer.get_mut(self.ready.end..).unwrap_or_default();
            match self.from.read(free) {
                Ok(0) => break,
                Ok(read) => self.ready.end = self.ready.end.saturating_add(read),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Large enough that the cost of system calls is negligible, small enough to stay in the cache.
const BUFFER_BYTES: usize = 128 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
