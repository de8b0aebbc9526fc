//! Copies of input that can be read only once, in temporary files: pipes, and compressed files.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::rc::Rc;

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;

use crate::failures::exit::Stated;
use crate::process::progress::Progress;

/// Copies input into a temporary file that disappears with the process. The error of damaged input is returned
/// next to the part before the damage.
pub(crate) fn spool(from: &mut dyn Read, name: &str) -> Result<(File, Option<Stated>)> {
    let mut to = tempfile::tempfile().context("cannot create a temporary file")?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut progress = Progress::bytes("copying", None);
    let mut copied = 0_u64;
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => return Ok((to, None)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Ok((to, Some(Stated::bad_input(format!("{name}: {error}")))));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
        };
        if !has_room(&to, count as u64) {
            let message = format!(
                "the temporary directory has no room for {name}: {copied} bytes were copied"
            );
            return Stated::no("no-space", message).hint(ANOTHER_PLACE).fail();
        }
        to.write_all(chunk.get(..count).unwrap_or_default())
            .with_context(|| format!("cannot copy {name} into a temporary file"))?;
        copied = copied.saturating_add(count as u64);
        progress.add(count as u64);
    }
}

/// Tells whether the disk of a file has room for more bytes. The last part of a disk is left to other programs.
fn has_room(file: &File, bytes: u64) -> bool {
    #[cfg(unix)]
    if let Ok(disk) = rustix::fs::fstatvfs(file) {
        let left = disk.f_bavail.saturating_mul(disk.f_frsize);
        let all = disk.f_blocks.saturating_mul(disk.f_frsize);
        // A disk that does not know its size is full when a write fails.
        let reserved = RESERVED_BYTES.min(all / RESERVED_PART);
        return all == 0 || left >= reserved.saturating_add(bytes);
    }
    true
}

/// A temporary file that is written only while the disk has room.
pub(crate) struct Roomy<'f>(pub(crate) &'f mut File);

impl Write for Roomy<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match has_room(self.0, bytes.len() as u64) {
            true => self.0.write(bytes),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Input that is decompressed while it is read.
pub(crate) struct Decompressed<R> {
    decoder: MultiGzDecoder<Counting<R>>,
    /// The number of compressed bytes that were read.
    read: Rc<Cell<u64>>,
    written: u64,
}

impl<R: Read> Decompressed<R> {
    pub(crate) fn new(from: R) -> Self {
        let read = Rc::new(Cell::new(0));
        let from = Counting { from, read: read.clone() };
        Self { decoder: MultiGzDecoder::new(from), read, written: 0 }
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer).map_err(damaged)?;
        self.written = self.written.saturating_add(count as u64);
        let most = UNJUDGED_BYTES.saturating_add(self.read.get().saturating_mul(MAX_RATIO));
        if self.written > most {
            let message = format!(
                "the gzip data grows more than {MAX_RATIO} times, as no export of a repository does"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(count)
    }
}

/// Names an error of the decoder; an error of the disk stays as it is.
fn damaged(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            let message = format!("the gzip data is damaged or cut: {error}");
            io::Error::new(io::ErrorKind::InvalidData, message)
        }
        _ => error,
    }
}

/// A reader that counts its bytes.
struct Counting<R> {
    from: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.read.set(self.read.get().saturating_add(count as u64));
        Ok(count)
    }
}

/// The most bytes that a compressed byte may stand for. Exports shrink to a half or a third, because hashes do not
/// compress. Gzip itself reaches 1,000, with which a small file fills any disk.
const MAX_RATIO: u64 = 100;

/// The number of decompressed bytes without a limit on the ratio: some records compress well.
const UNJUDGED_BYTES: u64 = 64 * 1024 * 1024;

/// The room on the disk that copies leave free: this much, or this part of a small disk.
const RESERVED_BYTES: u64 = 64 * 1024 * 1024;
const RESERVED_PART: u64 = 20;

const CHUNK_BYTES: usize = 256 * 1024;

const ANOTHER_PLACE: &str =
    "free some space, or name a directory with more of it: TMPDIR=DIR pds …";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_are_joined_and_a_cut_is_an_error() {
        let two = [gzip(b"one "), gzip(b"two")].concat();
        let mut text = String::new();
        Decompressed::new(&two[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one two");
        for cut in [&two[..two.len() - 1], &two[..20], b"\x1f\x8b\x08"] {
            let error = Decompressed::new(cut).read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
    }

    #[test]
    fn data_that_grows_too_much_ends_at_the_limit() {
        let bomb = gzip(&vec![0; 2 * 64 * 1024 * 1024]);
        let error = Decompressed::new(&bomb[..]).read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("100 times"), "{error}");
        let allowed = gzip(&vec![0; 64 * 1024 * 1024]);
        Decompressed::new(&allowed[..]).read_to_end(&mut Vec::new()).unwrap();
    }
}
