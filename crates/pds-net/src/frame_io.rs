//! The bytes of a WebSocket: counted, with a pace, and with few pongs.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::Timeout;
use ureq::unversioned::transport::{NextTimeout, Transport};

use crate::error::{Error, Result};
use crate::limits::{MAX_MESSAGE_BYTES, PONG_PAUSE};
use crate::options::Patience;
use crate::pace::Pace;
use crate::traffic::Counters;

/// The bytes that may arrive for one message: headers of small fragments may be as large as their contents.
const MAX_FRAMES_BYTES: u64 = 2 * MAX_MESSAGE_BYTES as u64;

/// The first byte of a pong.
const PONG: u8 = 0x8a;

/// The bytes of the header of a ping or pong.
const CONTROL_HEADER_BYTES: u64 = 2;

/// A connection as a reader and writer of frames.
///
/// A read ends with `WouldBlock` at the time that the caller set. Other errors become an [`Error`] again by
/// `Error::from`. Each write is one frame, because the library of frames has no buffer for writes.
pub(crate) struct FrameIo {
    transport: Box<dyn Transport>,
    url: String,
    patience: Patience,
    counters: Arc<Counters>,
    until: Instant,
    bytes: u64,
    /// The bytes since the last whole message.
    unfinished: u64,
    pace: Pace,
    ponged: Option<Instant>,
    /// The pong that waits until another one may be sent.
    held: Option<Vec<u8>>,
}

impl FrameIo {
    /// Wraps the connection to a URL.
    pub(crate) fn new(
        transport: Box<dyn Transport>,
        url: String,
        patience: Patience,
        counters: Arc<Counters>,
    ) -> Self {
        let mut io = Self {
            transport,
            url,
            patience,
            counters,
            until: Instant::now(),
            bytes: 0,
            unfinished: 0,
            pace: Pace::new(patience),
            ponged: None,
            held: None,
        };
        // These arrived together with the headers.
        io.count();
        io
    }

    /// Returns the times that the host has.
    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// Returns the URL.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns the error of a connection that ended in the middle.
    pub(crate) fn cut(&self) -> Error {
        Error::Cut { url: self.url(), bytes: self.bytes }
    }

    /// Sets the time at which reads end.
    pub(crate) fn wait_until(&mut self, until: Instant) {
        self.until = until;
    }

    /// Notes that a whole message was read.
    pub(crate) fn finish_message(&mut self) {
        self.unfinished = 0;
        self.pace = Pace::new(self.patience);
    }

    /// Notes that a ping or pong was read. It may come between the fragments of a message.
    pub(crate) fn finish_control(&mut self, payload: usize) {
        let bytes = CONTROL_HEADER_BYTES + payload as u64;
        self.unfinished = self.unfinished.saturating_sub(bytes);
        if self.unfinished == 0 {
            self.pace = Pace::new(self.patience);
        }
    }

    /// Sends the pong that waits, if its time has come.
    pub(crate) fn send_held_pong(&mut self) -> Result<()> {
        match self.held.take_if(|_| may_pong(self.ponged)) {
            Some(frame) => Ok(self.send(&frame)?),
            None => Ok(()),
        }
    }

    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let after = self.patience.between_bytes;
        let mut rest = frame;
        while !rest.is_empty() {
            let output = self.transport.buffers().output();
            let part = rest.len().min(output.len());
            output[..part].copy_from_slice(&rest[..part]);
            rest = &rest[part..];
            self.transport.transmit_output(part, timeout(after)).map_err(|error| {
                let what = "no bytes were accepted";
                match error {
                    ureq::Error::Timeout(_) => Error::Stalled { url: self.url(), what, after },
                    _ => self.cut(),
                }
                .into_io()
            })?;
        }
        if frame.first() == Some(&PONG) {
            self.ponged = Some(Instant::now());
        }
        Ok(())
    }

    /// Counts the bytes in the buffer, which all arrived since the last call.
    fn count(&mut self) -> u64 {
        let bytes = self.transport.buffers().input().len() as u64;
        self.bytes += bytes;
        self.unfinished += bytes;
        self.counters.received(bytes);
        bytes
    }

    /// Waits for bytes. The buffer is empty.
    fn fill(&mut self) -> io::Result<()> {
        let started = Instant::now();
        let left = self.until.saturating_duration_since(started);
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let filled = self.transport.await_input(timeout(left));
        let waited = if self.unfinished > 0 { started.elapsed() } else { Duration::ZERO };
        let bytes = self.count();
        if self.unfinished > MAX_FRAMES_BYTES {
            return Err(too_large(self.url()).into_io());
        }
        if !self.pace.passes(waited, bytes) {
            let (url, after) = (self.url(), self.patience.pace_window);
            let what = "fewer bytes arrived than the slowest message has";
            return Err(Error::Stalled { url, what, after }.into_io());
        }
        match filled {
            Ok(_) => Ok(()),
            Err(ureq::Error::Timeout(_)) => Err(io::ErrorKind::WouldBlock.into()),
            Err(_) => Err(self.cut().into_io()),
        }
    }
}

/// Returns the error of a message that is larger than its bound.
pub(crate) fn too_large(url: String) -> Error {
    Error::Bound { url, what: "a message", limit: MAX_MESSAGE_BYTES as u64 }
}

fn may_pong(ponged: Option<Instant>) -> bool {
    ponged.is_none_or(|ponged| ponged.elapsed() >= PONG_PAUSE)
}

fn timeout(after: Duration) -> NextTimeout {
    NextTimeout { after: after.into(), reason: Timeout::RecvBody, ..NextTimeout::default() }
}

impl Read for FrameIo {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.transport.buffers().input().is_empty() {
            self.fill()?;
        }
        let input = self.transport.buffers().input();
        let read = buffer.len().min(input.len());
        buffer[..read].copy_from_slice(&input[..read]);
        self.transport.buffers().input_consume(read);
        Ok(read)
    }
}

impl Write for FrameIo {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        if frame.first() == Some(&PONG) && !may_pong(self.ponged) {
            self.held = Some(frame.to_vec());
        } else {
            self.send(frame)?;
        }
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for FrameIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameIo").field("url", &self.url).field("bytes", &self.bytes).finish()
    }
}
