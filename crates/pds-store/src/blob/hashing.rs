//! Streams that hash blobs while they are written and read.

use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

use crate::blob::error::BlobError;
use pds_core::data::cid::{Cid, Codec};

/// Copies all bytes, and returns their CID and their number.
///
/// `failed` converts the errors of `to`, so that they can be distinguished from those of `from`.
pub(crate) fn copy_hashing(
    from: &mut dyn Read,
    to: &mut dyn Write,
    failed: impl Fn(io::Error) -> BlobError,
) -> Result<(Cid, u64), BlobError> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(BlobError::Source(error)),
        };
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(&failed)?;
        size += read as u64;
    }
    Ok((Cid::from_digest(Codec::Raw, hash.finalize().into()), size))
}

/// A reader that fails at the end if its bytes do not match a CID.
pub(crate) struct Verifying<R> {
    from: R,
    cid: Cid,
    hash: Option<Sha256>,
}

impl<R> Verifying<R> {
    pub(crate) fn new(from: R, cid: Cid) -> Self {
        Self { from, cid, hash: Some(Sha256::new()) }
    }
}

impl<R: Read> Read for Verifying<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        if read > 0 {
            if let Some(hash) = &mut self.hash {
                hash.update(&buffer[..read]);
            }
        } else if !buffer.is_empty()
            && let Some(hash) = self.hash.take()
            && Cid::from_digest(Codec::Raw, hash.finalize().into()) != self.cid
        {
            let message = format!("blob {} is damaged: its bytes do not match its CID", self.cid);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(read)
    }
}

const BUFFER_BYTES: usize = 64 * 1024;
