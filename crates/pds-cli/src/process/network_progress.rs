//! The progress of work on the network: bytes and blobs that arrive, and waits.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pds_net::progress::Progress as Step;

use crate::process::progress::Progress;
use crate::process::text::say;
use crate::terminal::safe_text::printable;

/// The progress of a fetch.
#[derive(Default)]
pub(crate) struct NetworkProgress {
    present: Mutex<Option<Present>>,
    /// The lines about waits, and when each was reported last. A long wait is shown once, although it reports every
    /// second, and although other requests wait at the same time.
    said: Mutex<Vec<(String, Instant)>>,
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
            Step::Waiting { host, why, .. } => self.say_once(&format!("waiting for {host}: {why}")),
            Step::Retrying { host, try_number, error, .. } => {
                let why = printable(&error);
                self.say_once(&format!("asking {host} again, try {try_number}: {why}"));
            }
            Step::Following { server: Some(server) } => {
                self.say_once(&format!("following {server}"));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Removes the line from the terminal.
    pub(crate) fn finish(&self) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn say_once(&self, line: &str) {
        if self.is_new(line, Instant::now()) {
            say(line);
        }
    }

    /// Notes the report of a line, and returns whether the wait has just begun.
    fn is_new(&self, line: &str, now: Instant) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|(_, at)| now.saturating_duration_since(*at) < ENDED_AFTER);
        match said.iter_mut().find(|(known, _)| known == line) {
            Some((_, at)) => {
                *at = now;
                false
            }
            None => {
                said.push((line.to_owned(), now));
                true
            }
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

/// A wait reports every second. After this time without a report, it has ended.
const ENDED_AFTER: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_of_parallel_requests_are_shown_once() {
        let (progress, start) = (NetworkProgress::default(), Instant::now());
        let is_new = |line, second| progress.is_new(line, start + Duration::from_secs(second));
        assert!(is_new("asking for one blob", 0) && is_new("asking for another blob", 0));
        for second in 1..30 {
            assert!(!is_new("asking for one blob", second));
            assert!(!is_new("asking for another blob", second));
        }
        assert!(is_new("asking for a third blob", 30));
        assert!(is_new("asking for one blob", 40), "a new wait");
    }
}
