//! Progress of work that takes more than a second.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pds::car::ReadAt;

/// A progress bar, shown on a terminal if the work takes more than a second.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
}

impl Progress {
    /// Starts to count bytes; without a total, the bar has no end.
    pub(crate) fn bytes(what: &'static str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = match total {
            Some(_) => "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        Self::counting(what, bar, template)
    }

    /// Starts to count blocks, whose total is unknown.
    pub(crate) fn blocks(what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Self::counting(what, bar, "{msg} {spinner} {human_pos} blocks, {per_sec}")
    }

    fn counting(what: &'static str, bar: ProgressBar, template: &str) -> Self {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar, started: Instant::now(), shown: false }
    }

    pub(crate) fn add(&mut self, count: u64) {
        self.bar.inc(count);
        if !self.shown && self.started.elapsed() > PATIENCE {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A file that shows the progress of its first pass.
pub(crate) struct Watched {
    file: File,
    progress: Mutex<Option<Progress>>,
    left: AtomicU64,
}

impl Watched {
    pub(crate) fn new(file: File, what: &'static str) -> Self {
        let left = file.metadata().map_or(0, |file| file.len());
        let progress = Mutex::new(Some(Progress::bytes(what, Some(left))));
        Self { file, progress, left: AtomicU64::new(left) }
    }
}

impl ReadAt for Watched {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset)?;
        if self.left.load(Ordering::Relaxed) > 0 {
            let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            let left = self.left.load(Ordering::Relaxed).saturating_sub(read as u64);
            self.left.store(if read == 0 { 0 } else { left }, Ordering::Relaxed);
            if let Some(bar) = &mut *progress {
                bar.add(read as u64);
            }
            if left == 0 || read == 0 {
                *progress = None;
            }
        }
        Ok(read)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

/// How long work runs before its progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);
