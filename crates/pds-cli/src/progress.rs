//! Progress of work that takes more than a second.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error, if that is a terminal and the work takes a while.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
}

impl Progress {
    /// Starts to count bytes; where it is not known how many there are, there is no end.
    pub(crate) fn bytes(what: &'static str, total: Option<u64>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
        };
        let template = match total {
            Some(_) => "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        Self::counting(what, bar, template)
    }

    /// Starts to count blocks of which it is not known how many there are.
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

/// A file whose first reading, from start to end, is shown.
pub(crate) struct Watched {
    file: File,
    progress: Option<Progress>,
    left: u64,
}

impl Watched {
    pub(crate) fn new(file: File, what: &'static str) -> Self {
        let left = file.metadata().map_or(0, |file| file.len());
        Self { file, progress: Some(Progress::bytes(what, Some(left))), left }
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        if let Some(progress) = &mut self.progress {
            progress.add(read as u64);
            if self.left == 0 || read == 0 {
                self.progress = None;
            }
        }
        Ok(read)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// How long work goes on in silence.
const PATIENCE: Duration = Duration::from_secs(1);
