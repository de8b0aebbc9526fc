//! The progress of work on the network: bytes and blobs that arrive, and waits.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use pds_net::progress::Progress as Step;

use crate::process::progress::Progress;
use crate::process::text::say;
use crate::terminal::safe_text::printable;

/// The progress of a fetch.
#[derive(Default)]
pub(crate) struct NetworkProgress {
    present: Mutex<Option<Present>>,
    /// The last line about a wait. A long wait is shown once, although it reports every second.
    said: Mutex<String>,
}

/// What is fetched at present.
struct Present {
    is_blobs: bool,
    /// What was counted so far, of bytes or blobs.
    seen: u64,
    progress: Progress,
}

impl NetworkProgress {
    /// Shows a step. The work goes on.
    pub(crate) fn show(&self, step: Step) -> ControlFlow<()> {
        match step {
            Step::Repo { bytes, total } => self.count(false, bytes, total),
            Step::Blob { done, of, .. } => self.count(true, done, Some(of)),
            Step::Waiting { host, why, .. } => self.say_once(format!("waiting for {host}: {why}")),
            Step::Retrying { host, try_number, error, .. } => {
                let why = printable(&error);
                self.say_once(format!("asking {host} again, try {try_number}: {why}"));
            }
            Step::Following { server: Some(server) } => {
                self.say_once(format!("following {server}"));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Removes the line from the terminal.
    pub(crate) fn finish(&self) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn say_once(&self, line: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != line {
            say(&line);
            *said = line;
        }
    }

    fn count(&self, is_blobs: bool, done: u64, total: Option<u64>) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = present.as_ref().is_some_and(|p| p.is_blobs == is_blobs && p.seen <= done);
        if !goes_on {
            // The line of the step before goes first.
            *present = None;
            let progress = match is_blobs {
                true => Progress::things("blobs", total),
                false => Progress::bytes("fetching", total),
            };
            *present = Some(Present { is_blobs, seen: 0, progress });
        }
        if let Some(present) = present.as_mut() {
            present.progress.add(done.saturating_sub(present.seen));
            present.seen = done;
        }
    }
}
