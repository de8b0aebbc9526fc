//! Answers to standard output, messages to standard error.

use std::borrow::Cow;
use std::io::{self, BufWriter, StdoutLock, Write};

use anstyle::Style;
use anyhow::{Context, Result};
use pds::data::Cid;
use pds::syntax::Tid;
use serde_json::{Value, json};

use crate::failure::Stated;

/// Standard output, as text for people or as JSON.
///
/// Whoever reads it may have seen enough: from then on nothing is written, and a command goes on to its own end, since
/// its exit code says what came of it.
pub(crate) struct Output {
    json: bool,
    out: BufWriter<Counted>,
    /// The line that is being made; listings have many.
    line: String,
    is_closed: bool,
    has_done: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let counted = Counted { out: io::stdout().lock(), has_written: false };
        let out = BufWriter::with_capacity(BUFFER_BYTES, counted);
        Self { json, out, line: String::new(), is_closed: false, has_done: false }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Tells whether nobody reads any more: a listing that says nothing by its exit code may end.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes note that what was asked for is done: should that be impossible to say, it is done all the same.
    pub(crate) fn has_done(&mut self) {
        self.has_done = true;
    }

    /// Writes an answer in the form that was asked for.
    pub(crate) fn answer(
        &mut self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<()> {
        if self.json { self.json(&json()) } else { self.line(&text()) }
    }

    /// As [`answer`](Self::answer), for one of many: the text is put into a line that is there already.
    pub(crate) fn row(
        &mut self,
        text: impl FnOnce(&mut String),
        json: impl FnOnce() -> Value,
    ) -> Result<()> {
        if self.json {
            return self.json(&json());
        }
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        text(&mut line);
        let written = self.line(&line);
        self.line = line;
        written
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        let text = printable(text);
        self.write(|out| out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")))
    }

    /// Writes a line in a style, for a terminal.
    pub(crate) fn styled_line(&mut self, style: Style, text: &str) -> Result<()> {
        self.write(|out| writeln!(out, "{style}{}{style:#}", printable(text)))
    }

    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> Result<()> {
        self.write(|out| Ok(serde_json::to_writer(Printable(out), value)?))?;
        self.line("")
    }

    /// Writes JSON over several lines, piece by piece: with all its spaces it may be large.
    pub(crate) fn json_pretty(&mut self, value: &impl serde::Serialize) -> Result<()> {
        self.write(|out| Ok(serde_json::to_writer_pretty(Printable(out), value)?))?;
        self.line("")
    }

    /// Gives access to standard output for bytes.
    pub(crate) fn bytes(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// Takes back what was written, if none of it has left the process yet; tells whether that was so.
    pub(crate) fn take_back(&mut self) -> bool {
        if self.has_done || self.out.get_ref().has_written {
            return false;
        }
        let counted = Counted { out: io::stdout().lock(), has_written: false };
        let old = std::mem::replace(&mut self.out, BufWriter::with_capacity(BUFFER_BYTES, counted));
        // Without its buffer.
        drop(old.into_parts());
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
                let message = format!("it is done, but the answer cannot be written: {error}");
                Err(Stated::partly(message).into())
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

/// Passes text on with its control characters escaped.
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

/// Escapes control characters, which may come from elsewhere and must not drive the terminal.
///
/// JSON allows some of them in its texts; the escape is one of JSON, so it means the same there.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    // Without a way out of the loop it looks at many bytes at a time.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        return Cow::Borrowed(text);
    }
    let drives = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(drives) {
        return Cow::Borrowed(text);
    }
    let mut tame = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if drives(c) => tame.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => tame.push(c),
        }
    }
    Cow::Owned(tame)
}

/// Says something that is not an answer.
pub(crate) fn say(message: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr().lock(), "{}", printable(message));
}

/// A commit as it stands in an answer.
pub(crate) fn commit_json(cid: Cid, rev: Option<Tid>) -> Value {
    json!({ "cid": cid.to_string(), "rev": rev.map(|rev| rev.to_string()) })
}

/// A rev for people; early commits have none.
pub(crate) fn rev_text(rev: Option<Tid>) -> String {
    rev.map_or_else(|| "-".to_owned(), |rev| rev.to_string())
}

/// How many there are of something, for people.
pub(crate) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A time in UTC, to the second.
pub(crate) fn time_text(micros: u64) -> String {
    let seconds = i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// Asks for an error instead of the end of the process when a file may not grow further.
pub(crate) fn survive_file_size_limits() {
    #[cfg(unix)]
    {
        let seen = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        // Where this cannot be had, the process ends as it would have.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen);
    }
}

const BUFFER_BYTES: usize = 64 * 1024;
