//! Progress of work that takes more than a second: a line on the terminal that is drawn in place, and a plain line every
//! ten seconds elsewhere.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pds::StepKind;
use pds::car::ReadAt;

use crate::process::progress_line::{Counts, Unit};
use crate::terminal::lent::is_lent;
use crate::terminal::looks::{has_unicode, is_dumb};
use crate::terminal::screen_size::ScreenSize;

/// The progress of one step of a command. It disappears from the terminal when it is dropped.
pub(crate) struct Progress {
    counts: Counts,
    started: Instant,
    /// When the next line is due.
    due: Instant,
    /// Where the rate is measured from: an older moment, and a newer one that will replace it.
    marks: [(Instant, u64); 2],
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts to count bytes. Without a total, the line has no bar.
    pub(crate) fn bytes(what: &'static str, total: Option<u64>) -> Self {
        Self::counting(Counts::new(what, Unit::Bytes, total))
    }

    /// Starts to count things, such as `records`.
    pub(crate) fn things(what: &'static str, total: Option<u64>) -> Self {
        Self::counting(Counts::new(what, Unit::Things, total))
    }

    /// Starts to count files with their bytes.
    pub(crate) fn files(what: &'static str, total: Option<u64>, bytes: Option<u64>) -> Self {
        Self::counting(Counts::new(what, Unit::Things, total).of_bytes(bytes))
    }

    fn counting(counts: Counts) -> Self {
        let now = Instant::now();
        Self { counts, started: now, due: now + PATIENCE, marks: [(now, 0); 2], bar: None }
    }

    pub(crate) fn add(&mut self, count: u64) {
        self.counts.done = self.counts.done.saturating_add(count);
        self.draw_if_due();
    }

    /// Counts bytes, which may be those of files.
    pub(crate) fn add_bytes(&mut self, count: u64) {
        let done = match &mut self.counts.bytes {
            Some((bytes, _)) => bytes,
            None => &mut self.counts.done,
        };
        *done = done.saturating_add(count);
        self.draw_if_due();
    }

    fn draw_if_due(&mut self) {
        let now = Instant::now();
        if now >= self.due {
            self.draw(now);
        }
    }

    fn draw(&mut self, now: Instant) {
        if self.bar.is_none() && !can_redraw() {
            // The first line is due later than the first bar would be.
            if now.duration_since(self.started) >= LINE_INTERVAL {
                plain_line(&self.counts);
                self.due = now + LINE_INTERVAL;
            } else {
                self.due = self.started + LINE_INTERVAL;
            }
            return;
        }
        self.due = now + REDRAW_INTERVAL;
        // Of two steps at the same time, the first one has the line.
        let is_taken = self.bar.is_none() && shown().is_some();
        if is_taken || is_lent() || IS_SILENT.load(Ordering::Acquire) {
            return;
        }
        let [(since, count), newer] = self.marks;
        let moved = self.counts.moved();
        let seconds = now.duration_since(since).as_secs_f64().max(0.001);
        #[allow(clippy::cast_precision_loss)]
        let rate = moved.saturating_sub(count) as f64 / seconds;
        if now.duration_since(newer.0) > RATE_WINDOW {
            self.marks = [newer, (now, moved)];
        }
        let columns = ScreenSize::of_stderr().columns;
        let line = self.counts.line(rate, columns, has_unicode());
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            *shown() = Some(bar.clone());
            bar
        });
        bar.set_message(line);
        bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            *shown() = None;
        }
    }
}

/// The progress of work of the library, one step after the other.
#[derive(Default)]
pub(crate) struct Steps {
    present: Mutex<Option<(StepKind, Progress)>>,
    /// A kind of step, and the number of its things.
    total: Option<(StepKind, u64)>,
}

impl Steps {
    /// Begins work on a number of things.
    pub(crate) fn of(step: StepKind, total: u64) -> Self {
        Self { present: Mutex::default(), total: Some((step, total)) }
    }

    /// Removes the line from the terminal.
    pub(crate) fn finish(&self) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Counts things that were done.
    pub(crate) fn add(&self, step: StepKind, count: u64) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *present {
            Some((known, progress)) if *known == step => progress.add(count),
            _ => {
                // The line of the step before goes first.
                *present = None;
                let what = match step {
                    StepKind::Records => "records",
                    StepKind::Blobs => "blobs",
                    StepKind::Commits => "commits",
                    _ => "blocks",
                };
                let total = self.total.filter(|(known, _)| *known == step).map(|(_, total)| total);
                let (_, progress) = present.insert((step, Progress::things(what, total)));
                progress.add(count);
            }
        }
    }
}

/// Tells whether a line on standard error can be drawn again in place.
fn can_redraw() -> bool {
    io::stderr().is_terminal() && !is_dumb()
}

fn plain_line(counts: &Counts) {
    // Progress that cannot be written is not missed.
    let _ = writeln!(io::stderr().lock(), "{}", counts.plain());
}

/// Removes the line from the terminal and draws none again: the process is about to end, or lines of an answer follow.
pub(crate) fn silence() {
    IS_SILENT.store(true, Ordering::Release);
    if let Some(bar) = shown().take() {
        bar.finish_and_clear();
    }
}

/// Prints something on standard error while the line of progress is away.
pub(crate) fn suspended<T>(print: impl FnOnce() -> T) -> T {
    let bar = shown().clone();
    match bar {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The line that is on the terminal.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Whether no line is drawn again.
static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// A reader or a writer whose bytes count as progress.
pub(crate) struct Counted<'p, F> {
    file: F,
    progress: &'p mut Progress,
}

impl<'p, F> Counted<'p, F> {
    pub(crate) fn new(file: F, progress: &'p mut Progress) -> Self {
        Self { file, progress }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.progress.add_bytes(count as u64);
        Ok(count)
    }
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.progress.add_bytes(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file that shows the progress of its first pass.
pub(crate) struct Watched {
    file: File,
    progress: Mutex<Option<Progress>>,
    left: AtomicU64,
    /// What is done after the first pass, if that is shown as well.
    again: Option<&'static str>,
}

impl Watched {
    pub(crate) fn new(file: File, what: &'static str) -> Self {
        let left = file.metadata().map_or(0, |file| file.len());
        let progress = Mutex::new(Some(Progress::bytes(what, Some(left))));
        Self { file, progress, left: AtomicU64::new(left), again: None }
    }

    /// Also shows the bytes of later passes, whose number is unknown.
    pub(crate) fn again(self, what: &'static str) -> Self {
        Self { again: Some(what), ..self }
    }
}

impl ReadAt for Watched {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset)?;
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 && self.again.is_none() {
            return Ok(read);
        }
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = &mut *progress {
            bar.add(read as u64);
        }
        if left > 0 {
            let left = self.left.load(Ordering::Relaxed).saturating_sub(read as u64);
            self.left.store(if read == 0 { 0 } else { left }, Ordering::Relaxed);
            if left == 0 || read == 0 {
                *progress = self.again.map(|what| Progress::bytes(what, None));
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

/// How often the line is drawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// How often a line is written where it cannot be drawn in place.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The rate is that of the last two windows.
const RATE_WINDOW: Duration = Duration::from_secs(3);
