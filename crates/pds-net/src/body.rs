//! Bounded bodies: size before and after gzip, the time between bytes, and the speed.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::options::Patience;
use crate::pace::Pace;
use crate::permit::Permit;
use crate::traffic::Counters;

/// The bytes by which gzip may make incompressible data longer, besides a thousandth.
const GZIP_OVERHEAD: u64 = 64 * 1024;

/// The facts about a request that its body uses.
pub(crate) struct Origin {
    pub(crate) url: String,
    pub(crate) what: &'static str,
    pub(crate) max_bytes: u64,
    pub(crate) patience: Patience,
    pub(crate) counters: Arc<Counters>,
}

/// The body of an answer.
///
/// A read fails if the body is larger than its bound, too slow, or cut. The error of the reader becomes an
/// [`Error`] again by `Error::from`. The place of the request among the parallel ones is kept until the body is
/// dropped.
pub struct Body {
    source: Decoded,
    url: String,
    what: &'static str,
    max_bytes: u64,
    bytes: u64,
    total: Option<u64>,
    permit: Option<Permit>,
}

enum Decoded {
    Plain(Box<Wire>),
    Gzip(Box<MultiGzDecoder<Wire>>),
}

/// The bytes as they come from the host.
struct Wire {
    reader: ureq::BodyReader<'static>,
    origin: Origin,
    pace: Pace,
    bytes: u64,
    max_bytes: u64,
}

impl Body {
    /// Wraps the body of an answer. `total` is its size, if the host named it.
    pub(crate) fn new(
        body: ureq::Body,
        is_gzip: bool,
        total: Option<u64>,
        origin: Origin,
    ) -> Result<Self> {
        let (url, what, max_bytes) = (origin.url.clone(), origin.what, origin.max_bytes);
        let total = total.filter(|_| !is_gzip);
        if total.is_some_and(|total| total > max_bytes) {
            return Err(Error::Bound { url, what, limit: max_bytes });
        }
        let overhead = if is_gzip { max_bytes / 1000 + GZIP_OVERHEAD } else { 0 };
        let wire = Wire {
            reader: body.into_reader(),
            pace: Pace::new(origin.patience),
            bytes: 0,
            max_bytes: max_bytes.saturating_add(overhead),
            origin,
        };
        let source = if is_gzip {
            Decoded::Gzip(Box::new(MultiGzDecoder::new(wire)))
        } else {
            Decoded::Plain(Box::new(wire))
        };
        Ok(Self { source, url, what, max_bytes, bytes: 0, total, permit: None })
    }

    /// Keeps the place of the request until the body is dropped.
    pub(crate) fn holding(mut self, permit: Permit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Returns the bytes that were read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the size of the body, if the host named it.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// As for a read.
    pub fn into_bytes(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads the beginning of the body, and nothing after it.
    pub(crate) fn head(self, bytes: u64) -> Vec<u8> {
        let mut head = Vec::new();
        // A body that breaks is kept as far as it came.
        let _ = self.take(bytes).read_to_end(&mut head);
        head
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.source {
            Decoded::Plain(wire) => wire.read(buffer)?,
            Decoded::Gzip(decoder) => match decoder.read(buffer) {
                Ok(read) => read,
                Err(error) => return Err(gzip_error(error, &self.url, decoder.get_ref().bytes)),
            },
        };
        self.bytes += read as u64;
        if self.bytes > self.max_bytes {
            let (url, what, limit) = (self.url.clone(), self.what, self.max_bytes);
            return Err(Error::Bound { url, what, limit }.into_io());
        }
        Ok(read)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let started = Instant::now();
        let read = match self.reader.read(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.fault(&error.into()).into_io()),
        };
        self.bytes += read as u64;
        self.origin.counters.received(read as u64);
        let (url, what) = (&self.origin.url, self.origin.what);
        if self.bytes > self.max_bytes {
            let (url, limit) = (url.clone(), self.origin.max_bytes);
            return Err(Error::Bound { url, what, limit }.into_io());
        }
        if read > 0 && !self.pace.passes(started.elapsed(), read as u64) {
            let after = self.origin.patience.pace_window;
            let what = "too few bytes arrived";
            return Err(Error::Stalled { url: url.clone(), what, after }.into_io());
        }
        Ok(read)
    }
}

impl Wire {
    /// Says what broke the body.
    fn fault(&self, error: &ureq::Error) -> Error {
        let url = self.origin.url.clone();
        match error {
            ureq::Error::Timeout(_) => Error::Stalled {
                url,
                what: "no bytes arrived",
                after: self.origin.patience.between_bytes,
            },
            // The connection is the only thing that can break here.
            _ => Error::Cut { url, bytes: self.bytes },
        }
    }
}

/// Tells the errors of the connection, the end of the data, and data that is not gzip from each other.
fn gzip_error(error: io::Error, url: &str, bytes: u64) -> io::Error {
    let url = || url.to_owned();
    match error.kind() {
        io::ErrorKind::Interrupted => error,
        _ if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => error,
        io::ErrorKind::UnexpectedEof => Error::Cut { url: url(), bytes }.into_io(),
        _ => Error::Answer { url: url(), reason: "it is not gzip".to_owned() }.into_io(),
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("url", &self.url).field("bytes", &self.bytes).finish()
    }
}
