//! The CAR writer.

use std::fmt;
use std::io::Write;

use crate::car::error::CarError;
use crate::data::block::BlockRef;
use crate::data::cid::Cid;
use crate::data::encode::{put_head, put_link, put_list, put_map, put_text};

/// Writes a CAR file of version 1, block by block.
///
/// The writer should be buffered. See [`CarReader`](super::read::CarReader) for an example.
pub struct CarWriter<W> {
    to: W,
    bytes: u64,
}

impl<W> fmt::Debug for CarWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarWriter").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl<W: Write> CarWriter<W> {
    /// Starts a file and writes its header.
    ///
    /// # Errors
    ///
    /// [`CarError::Io`].
    pub fn new(to: W, roots: &[Cid]) -> Result<Self, CarError> {
        let mut header = Vec::with_capacity(64);
        put_map(&mut header, 2);
        put_text(&mut header, "roots");
        put_list(&mut header, roots.len());
        for root in roots {
            put_link(&mut header, root);
        }
        put_text(&mut header, "version");
        put_head(&mut header, 0, 1);
        let mut writer = Self { to, bytes: 0 };
        writer.length(header.len())?;
        writer.put(&header)?;
        Ok(writer)
    }

    /// Writes a block.
    ///
    /// # Errors
    ///
    /// [`CarError::Io`].
    pub fn block(&mut self, block: BlockRef<'_>) -> Result<(), CarError> {
        self.length(Cid::LEN + block.bytes().len())?;
        self.put(block.cid().as_bytes())?;
        self.put(block.bytes())
    }

    /// Returns the number of bytes that were written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Finishes the file: flushes the writer and returns it.
    ///
    /// # Errors
    ///
    /// [`CarError::Io`].
    pub fn finish(mut self) -> Result<W, CarError> {
        self.to.flush()?;
        Ok(self.to)
    }

    fn length(&mut self, mut n: usize) -> Result<(), CarError> {
        let mut varint = [0_u8; 10];
        let mut len = 0;
        loop {
            let low = (n & 0x7f).to_le_bytes()[0];
            n >>= 7;
            varint[len] = if n == 0 { low } else { low | 0x80 };
            len += 1;
            if n == 0 {
                return self.put(&varint[..len]);
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), CarError> {
        self.to.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}
