//! Bodies that lie.

use std::io::{self, Read, Write};
use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};

/// Inverts the lowest bit of one byte.
pub(crate) struct Flipped<R> {
    pub(crate) from: R,
    /// Bytes before the changed one.
    pub(crate) left: u64,
    pub(crate) is_done: bool,
}

impl<R: Read> Read for Flipped<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        match usize::try_from(self.left) {
            Ok(at) if at < read && !self.is_done => {
                to[at] ^= 1;
                self.is_done = true;
            }
            _ => self.left = self.left.saturating_sub(read as u64),
        }
        Ok(read)
    }
}

/// The same bytes, again and again, until a bound that no honest client reaches.
pub(crate) fn repeated(bytes: &Arc<[u8]>) -> impl Read + use<> {
    Repeated { bytes: bytes.clone(), at: 0 }.take(MOST)
}

struct Repeated {
    bytes: Arc<[u8]>,
    at: usize,
}

impl Read for Repeated {
    fn read(&mut self, mut to: &mut [u8]) -> io::Result<usize> {
        let written = to.write(&self.bytes[self.at..])?;
        self.at = (self.at + written) % self.bytes.len();
        Ok(written)
    }
}

/// A beginning and then the same bytes without end, below layers of gzip.
pub(crate) fn bomb(layers: usize, beginning: Vec<u8>, bytes: &[u8]) -> impl Read + use<> {
    let times = UNIT / bytes.len() + 1;
    let mut unit = bytes.repeat(times);
    let mut start = beginning;
    for _ in 0..layers {
        start = [GZIP_HEADER.as_slice(), &deflated(&start)].concat();
        // The layer above compresses many of these units.
        unit = deflated(&unit).repeat(if layers > 1 { 1_000 } else { 1 });
    }
    io::Cursor::new(start).chain(repeated(&unit.into()))
}

/// A piece of a deflate stream that does not depend on what is before it, so that it can be repeated.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut to = Vec::with_capacity(bytes.len() + 1_000);
    compress.compress_vec(bytes, &mut to, FlushCompress::Full).unwrap();
    assert_eq!(compress.total_in(), bytes.len() as u64, "the output has room");
    to
}

/// Magic number, method, no flags, no time, no level, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Bytes that are compressed as one piece.
const UNIT: usize = 1 << 20;

/// The end of an endless body: a client that takes this much has no bound.
const MOST: u64 = 4 << 30;
