//! Answers to standard output, messages to standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

use anstyle::Style;
use anyhow::{Context, Result};
use serde::Serialize;

use crate::exit::Stated;
use crate::text::{printable, say};

/// Standard output, as text for people or as JSON.
///
/// If the reader closes the pipe, nothing more is written. The command still runs to its end, because its exit
/// code is part of the answer.
pub(crate) struct Output {
    json: bool,
    out: BufWriter<Counted>,
    is_closed: bool,
    has_done: bool,
    /// The warnings that no JSON answer lists yet.
    warnings: Vec<String>,
}

/// An answer with the warnings that were printed before it.
#[derive(Serialize)]
struct Warned<'a, T> {
    #[serde(flatten)]
    answer: &'a T,
    warnings: &'a [String],
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let counted = Counted { out: io::stdout().lock(), has_written: false };
        let out = BufWriter::with_capacity(BUFFER_BYTES, counted);
        Self { json, out, is_closed: false, has_done: false, warnings: Vec::new() }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Tells whether the reader closed the pipe: a listing whose exit code says nothing may then stop.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Records that the change is done: if the answer cannot be printed, the error says so.
    pub(crate) fn has_done(&mut self) {
        self.has_done = true;
    }

    /// Prints a warning on standard error. With `--json`, the next answer lists it in `warnings`, too.
    pub(crate) fn warn(&mut self, message: impl Into<String>) {
        let message = message.into();
        say(&format!("warning: {message}"));
        if self.json {
            self.warnings.push(message);
        }
    }

    /// Writes an answer as text or as JSON.
    pub(crate) fn answer(&mut self, answer: &(impl Display + Serialize)) -> Result<()> {
        if self.json {
            let warnings = std::mem::take(&mut self.warnings);
            return match &warnings[..] {
                [] => self.json(answer),
                warnings => self.json(&Warned { answer, warnings }),
            };
        }
        self.write(|out| writeln!(Printable(out), "{answer}"))
    }

    /// Writes answers, one after the other.
    pub(crate) fn answers(
        &mut self,
        answers: impl IntoIterator<Item = impl Display + Serialize>,
    ) -> Result<()> {
        answers.into_iter().try_for_each(|answer| self.answer(&answer))
    }

    /// Writes a line in a style, for a terminal.
    pub(crate) fn styled_line(&mut self, style: Style, line: &impl Display) -> Result<()> {
        self.write(|out| writeln!(out, "{style}{}{style:#}", printable(&line.to_string())))
    }

    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.write(|out| {
            serde_json::to_writer(Printable(&mut *out), value)?;
            out.write_all(b"\n")
        })
    }

    /// Returns standard output, for bytes.
    pub(crate) fn bytes(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// Discards what was written if none of it has left the process, and tells whether that was so.
    pub(crate) fn take_back(&mut self) -> bool {
        if self.has_done || self.out.get_ref().has_written {
            return false;
        }
        let counted = Counted { out: io::stdout().lock(), has_written: false };
        let old = std::mem::replace(&mut self.out, BufWriter::with_capacity(BUFFER_BYTES, counted));
        // Drops the buffer without writing it.
        drop(old.into_parts());
        self.warnings.clear();
        true
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.write(Write::flush)
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut BufWriter<Counted>) -> io::Result<()>,
    ) -> Result<()> {
        if self.is_closed {
            return Ok(());
        }
        match write(&mut self.out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) if self.has_done => {
                let message =
                    format!("the command succeeded, but its answer cannot be written: {error}");
                Stated::partly(message).fail()
            }
            written => written.context("cannot write to standard output"),
        }
    }
}

/// Standard output, and whether anything was written to it.
struct Counted {
    out: StdoutLock<'static>,
    has_written: bool,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.has_written = true;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A writer that escapes control characters.
struct Printable<W>(W);

impl<W: Write> Write for Printable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(printable(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Makes writes beyond the file size limit fail, instead of ending the process.
pub(crate) fn survive_file_size_limits() {
    #[cfg(unix)]
    {
        let seen = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        // If this fails, the signal ends the process as before.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen);
    }
}

const BUFFER_BYTES: usize = 64 * 1024;
