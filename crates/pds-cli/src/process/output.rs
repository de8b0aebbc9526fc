//! Answers to standard output, messages to standard error.

use std::fmt::Display;
#[cfg(unix)]
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::failures::exit::Stated;
use crate::process::progress::silence;
use crate::process::text::say;
use crate::terminal::line::Line;
use crate::terminal::looks::{ColorWhen, Terminal};
use crate::terminal::messages::hint_lines;
use crate::terminal::pager::Sink;
use crate::terminal::safe_text::printable;
use crate::terminal::table::Table;

/// The form of the answers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    /// JSON instead of text.
    pub(crate) json: bool,
    pub(crate) color: ColorWhen,
    /// Whether a pager shows an answer that is longer than the screen.
    pub(crate) pager: bool,
    /// Whether a terminal shows times in UTC.
    pub(crate) utc: bool,
}

/// Standard output: a screen on a terminal, lines of text elsewhere, or JSON.
///
/// If the reader closes the pipe, nothing more is written. A command whose exit code is part of the answer still runs
/// to its end. Listings stop; see [`is_closed`](Self::is_closed).
pub(crate) struct Output {
    json: bool,
    terminal: Option<Terminal>,
    out: BufWriter<Sink>,
    is_closed: bool,
    has_done: bool,
    /// Whether lines may appear on the terminal that shows the progress.
    is_seen: bool,
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
    pub(crate) fn new(form: Form) -> Self {
        let is_screen = !form.json && io::stdout().is_terminal();
        let colour = form.color.is_on(&io::stdout());
        let terminal = is_screen.then(|| Terminal::of_stdout(colour, form.utc));
        let sink = match &terminal {
            Some(terminal) if form.pager => Sink::paged(terminal.size, silence),
            _ => Sink::direct(),
        };
        let out = BufWriter::with_capacity(BUFFER_BYTES, sink);
        let (json, is_seen) = (form.json, io::stdout().is_terminal() || is_pipe());
        let (is_closed, has_done, warnings) = (false, false, Vec::new());
        Self { json, terminal, out, is_closed, has_done, is_seen, warnings }
    }

    /// Returns the terminal that shows the answers; `None` in a pipe and for JSON.
    pub(crate) fn terminal(&self) -> Option<&Terminal> {
        self.terminal.as_ref()
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

    /// Tells whether the change is done.
    pub(crate) fn is_done(&self) -> bool {
        self.has_done
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

    /// Writes an answer: its screen on a terminal, and otherwise text or JSON.
    pub(crate) fn show(
        &mut self,
        answer: &(impl Display + Serialize),
        screen: impl FnOnce(&Terminal) -> Vec<Line>,
    ) -> Result<()> {
        match &self.terminal {
            Some(terminal) => {
                let lines = screen(terminal);
                self.lines(lines)
            }
            None => self.answer(answer),
        }
    }

    /// Writes answers, one after the other.
    pub(crate) fn answers(
        &mut self,
        answers: impl IntoIterator<Item = impl Display + Serialize>,
    ) -> Result<()> {
        answers.into_iter().try_for_each(|answer| self.answer(&answer))
    }

    /// Writes a line of text that has no JSON form.
    pub(crate) fn text_line(&mut self, line: &impl Display) -> Result<()> {
        self.write(|out| writeln!(Printable(out), "{line}"))
    }

    /// Writes a line of a screen.
    pub(crate) fn line(&mut self, line: &Line) -> Result<()> {
        let terminal = self.terminal.as_ref();
        let (colour, unicode) = terminal.map_or((false, true), |it| (it.colour, it.unicode));
        let text = line.rendered(colour, unicode);
        self.write(|out| writeln!(out, "{text}"))
    }

    /// Writes lines of a screen.
    pub(crate) fn lines(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<()> {
        lines.into_iter().try_for_each(|line| self.line(&line))
    }

    /// Writes a hint on a terminal, as lines that fit it.
    pub(crate) fn hint(&mut self, hint: &str) -> Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        let lines = hint_lines(hint, terminal.width());
        self.lines(lines)
    }

    /// Writes the rows that a table has so far.
    pub(crate) fn table(&mut self, table: &mut Table) -> Result<()> {
        let Some(terminal) = self.terminal.clone() else { return Ok(()) };
        table.take_lines(&terminal).iter().try_for_each(|line| self.line(line))
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
        if self.has_done || self.out.get_ref().has_written() {
            return false;
        }
        let sink = std::mem::replace(self.out.get_mut(), Sink::direct());
        let old = std::mem::replace(&mut self.out, BufWriter::with_capacity(BUFFER_BYTES, sink));
        // Drops the buffer without writing it.
        drop(old.into_parts());
        self.out.get_mut().take_back();
        self.warnings.clear();
        true
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.write(Write::flush)
    }

    /// Writes the rest of the answer, and waits until the user leaves the pager.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.write(|out| {
            let flushed = out.flush();
            out.get_mut().finish().and(flushed)
        })
    }

    fn write(&mut self, write: impl FnOnce(&mut BufWriter<Sink>) -> io::Result<()>) -> Result<()> {
        if self.is_closed {
            return Ok(());
        }
        if self.is_seen && !self.out.get_ref().is_holding() {
            silence();
        }
        let is_screen = self.terminal.is_some();
        let written = write(&mut self.out);
        // On a terminal, messages come after the answers that were printed before them.
        let written = if is_screen { written.and_then(|()| self.out.flush()) } else { written };
        match written {
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

/// A writer that escapes control characters.
pub(crate) struct Printable<W>(pub(crate) W);

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

/// Tells whether standard output is a pipe: its reader may be a pager.
fn is_pipe() -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        use std::os::unix::fs::FileTypeExt;
        let copy = io::stdout().as_fd().try_clone_to_owned();
        let kind = copy.and_then(|copy| File::from(copy).metadata()).map(|file| file.file_type());
        kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
    }
    #[cfg(not(unix))]
    true
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
