//! Random access to files: reading bytes at an offset.

use std::fs::File;
use std::io::{self, Cursor, Read};

/// A file that can be read at any offset.
///
/// There is no shared position, so several readers can use one file at the same time.
#[expect(clippy::len_without_is_empty, reason = "an empty file is no special case to a reader")]
pub trait ReadAt: Send + Sync {
    /// Reads bytes from an offset and returns their number, which is zero at the end of the file.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Returns the size of the file in bytes.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    fn len(&self) -> io::Result<u64>;

    /// Fills the buffer with bytes from an offset.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends before. Otherwise as
    /// [`read_at`](Self::read_at).
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = buffer.get_mut(read..).unwrap_or_default();
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// On systems other than Unix and Windows, files cannot be read at an offset.
impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }

    #[cfg(not(any(unix, windows)))]
    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// Bytes in memory. The position of the cursor is ignored.
impl<T: AsRef<[u8]> + Send + Sync> ReadAt for Cursor<T> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.get_ref().as_ref();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(start..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.get_ref().as_ref().len() as u64)
    }
}

impl<F: ReadAt + ?Sized> ReadAt for &F {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }

    fn len(&self) -> io::Result<u64> {
        (**self).len()
    }
}

/// A reader of a file from its start to its end.
#[derive(Debug)]
pub struct FromStart<'f, F> {
    file: &'f F,
    offset: u64,
}

impl<'f, F: ReadAt> FromStart<'f, F> {
    /// Returns a reader at the start of the file.
    pub fn new(file: &'f F) -> Self {
        Self { file, offset: 0 }
    }
}

impl<F: ReadAt> Read for FromStart<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_file_and_bytes_in_memory_are_read_alike() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let memory = Cursor::new(&bytes);
        assert_eq!(ReadAt::len(&file).unwrap(), memory.len().unwrap());
        for (offset, len) in [(0, 256), (0, 0), (7, 20), (255, 1), (256, 0)] {
            let [mut a, mut b] = [vec![0; len], vec![0; len]];
            file.read_exact_at(&mut a, offset).unwrap();
            ReadAt::read_exact_at(&memory, &mut b, offset).unwrap();
            assert_eq!(a, b);
        }
        for offset in [200, 256, 257, u64::MAX >> 1] {
            let mut buffer = [0; 100];
            assert!(ReadAt::read_exact_at(&file, &mut buffer, offset).is_err());
            assert!(ReadAt::read_exact_at(&memory, &mut buffer, offset).is_err());
        }
        let mut read = Vec::new();
        FromStart::new(&&file).read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
        assert_eq!(ReadAt::len(&&file).unwrap(), 256);
    }

    /// A file that returns a few bytes at a time, after an error if it has one.
    struct Short(Cursor<Vec<u8>>, io::ErrorKind, AtomicBool);

    impl ReadAt for Short {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if self.2.fetch_not(Ordering::Relaxed) {
                return Err(self.1.into());
            }
            let len = buffer.len().min(3);
            self.0.read_at(&mut buffer[..len], offset)
        }

        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
    }

    #[test]
    fn a_read_goes_on_after_a_part_and_after_a_signal() {
        let bytes: Vec<u8> = (0..=255).collect();
        let short = |error| Short(Cursor::new(bytes.clone()), error, AtomicBool::new(true));
        let mut found = [0; 20];
        short(io::ErrorKind::Interrupted).read_exact_at(&mut found, 100).unwrap();
        assert_eq!(found, bytes[100..120]);
        let refused = short(io::ErrorKind::TimedOut).read_exact_at(&mut found, 100);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
