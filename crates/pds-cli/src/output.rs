//! Answers to standard output, messages to standard error.

use std::io::{self, BufWriter, StdoutLock, Write};

use anyhow::Result;
use pds::data::Cid;
use pds::syntax::Tid;
use serde_json::{Value, json};

/// Standard output, as text for people or as JSON.
pub(crate) struct Output {
    json: bool,
    out: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, out: BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock()) }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes an answer in the form that was asked for.
    pub(crate) fn answer(
        &mut self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<()> {
        if self.json { self.json(&json()) } else { self.line(&text()) }
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        self.line("")
    }

    /// Gives access to standard output for bytes.
    pub(crate) fn bytes(&mut self) -> &mut impl Write {
        &mut self.out
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }
}

/// Says something that is not an answer.
pub(crate) fn say(message: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// A commit as it stands in an answer.
pub(crate) fn commit_json(cid: Cid, rev: Option<Tid>) -> Value {
    json!({ "cid": cid.to_string(), "rev": rev.map(|rev| rev.to_string()) })
}

/// A rev for people; early commits have none.
pub(crate) fn rev_text(rev: Option<Tid>) -> String {
    rev.map_or_else(|| "-".to_owned(), |rev| rev.to_string())
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
