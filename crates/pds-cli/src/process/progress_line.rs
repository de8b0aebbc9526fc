//! The text of progress: counts, a bar, a rate and the time that is left.

use crate::terminal::numbers::{count, size};
use crate::terminal::symbol::Symbol;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    /// The name of the step is the name of the things, such as `records`.
    Things,
}

/// How much of a step is done.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    what: &'static str,
    unit: Unit,
    pub(crate) done: u64,
    total: Option<u64>,
    /// The bytes of the things that are done, and of all.
    pub(crate) bytes: Option<(u64, Option<u64>)>,
}

impl Counts {
    pub(crate) fn new(what: &'static str, unit: Unit, total: Option<u64>) -> Self {
        Self { what, unit, done: 0, total, bytes: None }
    }

    /// Counts the bytes of the things as well.
    pub(crate) fn of_bytes(self, total: Option<u64>) -> Self {
        Self { bytes: Some((0, total)), ..self }
    }

    /// Returns the count that the rate is measured of: bytes, if they are known.
    pub(crate) fn moved(&self) -> u64 {
        self.bytes.map_or(self.done, |(bytes, _)| bytes)
    }

    /// Returns the line for a pipe or a log: `blobs 171/311 81.2 MB`.
    pub(crate) fn plain(&self) -> String {
        let parts = [Some(self.what.to_owned()), Some(self.counted()), self.sized()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Returns the line for a terminal. It is shorter than the screen: the bar shrinks and goes, then the rate, the
    /// time that is left, and the size go.
    pub(crate) fn line(&self, rate: f64, columns: usize, is_unicode: bool) -> String {
        let rate_text = Some(self.rate(rate)).filter(|_| rate > 0.0);
        let left = self.left(rate);
        let (sized, of) = (self.sized_of(), self.counted_of());
        for (bar, has_rate, has_left, has_size) in [
            (LONG_BAR, true, true, true),
            (SHORT_BAR, true, true, true),
            (0, true, true, true),
            (0, false, true, true),
            (0, false, false, true),
            (0, false, false, false),
        ] {
            let parts = [
                self.fraction().filter(|_| bar > 0).map(|done| drawn(done, bar, is_unicode)),
                Some(of.clone()),
                sized.clone().filter(|_| has_size),
                rate_text.clone().filter(|_| has_rate),
                left.clone().filter(|_| has_left),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            let line = format!("  {:LABEL$}{}", self.what, parts.join("  "));
            if line.chars().count() < columns {
                return line;
            }
        }
        self.what.chars().take(columns.saturating_sub(1)).collect()
    }

    /// Returns the part that is done, from 0 to 1.
    fn fraction(&self) -> Option<f64> {
        let (done, total) = match (self.bytes, self.total) {
            (Some((bytes, Some(total))), _) if total > 0 => (bytes, total),
            (_, Some(total)) if total > 0 => (self.done, total),
            _ => return None,
        };
        #[allow(clippy::cast_precision_loss)]
        Some((done as f64 / total as f64).min(1.0))
    }

    /// Returns the count in plain form: `171/311`.
    fn counted(&self) -> String {
        match (self.unit, self.total) {
            (Unit::Bytes, Some(total)) => format!("{} of {}", size(self.done), size(total)),
            (Unit::Bytes, None) => size(self.done),
            (Unit::Things, Some(total)) => format!("{}/{}", count(self.done), count(total)),
            (Unit::Things, None) => count(self.done),
        }
    }

    fn sized(&self) -> Option<String> {
        self.bytes.map(|(bytes, _)| size(bytes))
    }

    /// Returns the count for a terminal, in which a unit is not repeated: `81.2 of 146 MB`.
    fn counted_of(&self) -> String {
        match (self.unit, self.total) {
            (Unit::Bytes, Some(total)) => size_of(self.done, total),
            _ => self.counted(),
        }
    }

    fn sized_of(&self) -> Option<String> {
        match self.bytes? {
            (bytes, Some(total)) => Some(size_of(bytes, total)),
            (bytes, None) => Some(size(bytes)),
        }
    }

    fn rate(&self, rate: f64) -> String {
        match self.unit == Unit::Bytes || self.bytes.is_some() {
            true => format!("{}/s", rough_size(rate)),
            false => format!("{} {}/s", rough_count(rate), self.what),
        }
    }

    fn left(&self, rate: f64) -> Option<String> {
        let (done, total) = match self.bytes {
            Some((bytes, total)) => (bytes, total?),
            None => (self.done, self.total?),
        };
        #[allow(clippy::cast_precision_loss)]
        let seconds = total.saturating_sub(done) as f64 / rate;
        if rate <= 0.0 || !seconds.is_finite() || seconds > MAX_SECONDS {
            return None;
        }
        let seconds = whole(seconds);
        Some(match (seconds / 3600, seconds / 60 % 60) {
            (0, 0) => format!("{seconds} s left"),
            (0, minutes) => format!("{minutes} min left"),
            (hours, minutes) => format!("{hours} h {minutes} min left"),
        })
    }
}

/// Returns a size of a total in one unit, if both have the same: `81.2 of 146 MB`.
fn size_of(bytes: u64, total: u64) -> String {
    let (bytes, total) = (size(bytes), size(total));
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    match (bytes.split_once(' '), unit(&total)) {
        (Some((number, of_bytes)), Some(of_total)) if of_bytes == of_total => {
            format!("{number} of {total}")
        }
        _ => format!("{bytes} of {total}"),
    }
}

/// Returns a rate of bytes with two digits or more: `9.8 MB`, `98 MB`, `980 kB`.
fn rough_size(bytes: f64) -> String {
    let (mut number, mut unit) = (bytes, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if number < 999.5 {
            break;
        }
        (number, unit) = (number / 1000.0, larger);
    }
    if unit != "B" && number < 9.95 {
        format!("{number:.1} {unit}")
    } else {
        format!("{number:.0} {unit}")
    }
}

/// Returns a rate of things: `1,206`, or with one decimal below ten.
fn rough_count(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { count(whole(rate)) }
}

fn whole(number: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = number.round().clamp(0.0, MAX_WHOLE) as u64;
    whole
}

fn drawn(done: f64, width: usize, is_unicode: bool) -> String {
    #[allow(clippy::cast_precision_loss)]
    let full = usize::try_from(whole((done * width as f64).floor())).unwrap_or(width).min(width);
    let symbol = |symbol: Symbol, times: usize| symbol.text(is_unicode).repeat(times);
    symbol(Symbol::Full, full) + &symbol(Symbol::Empty, width - full)
}

/// The width of the names of steps.
const LABEL: usize = 10;

const LONG_BAR: usize = 22;
const SHORT_BAR: usize = 10;

/// A longer time is not shown: the rate is not yet known.
const MAX_SECONDS: f64 = 100.0 * 3600.0;

const MAX_WHOLE: f64 = 1e15;

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> Counts {
        let counts = Counts::new("blobs", Unit::Things, Some(311));
        Counts { done: 171, bytes: Some((81_200_000, Some(146_000_000))), ..counts }
    }

    #[test]
    fn the_line_is_that_of_the_page_and_never_wraps() {
        let line = blobs().line(9_800_000.0, 80, true);
        assert_eq!(
            line,
            "  blobs     ████████████░░░░░░░░░░  171/311  81.2 of 146 MB  9.8 MB/s  7 s left"
        );
        for columns in 1..100 {
            assert!(blobs().line(9_800_000.0, columns, true).chars().count() < columns.max(2));
        }
        assert_eq!(
            blobs().line(9_800_000.0, 60, true),
            "  blobs     171/311  81.2 of 146 MB  9.8 MB/s  7 s left"
        );
        assert!(blobs().line(9_800_000.0, 80, false).contains("############.........."));
    }

    #[test]
    fn rates_have_sensible_digits() {
        let records = Counts { done: 171_000, ..Counts::new("records", Unit::Things, None) };
        assert_eq!(records.line(1206.3817, 80, true), "  records   171,000  1,206 records/s");
        assert_eq!(records.line(0.0, 80, true), "  records   171,000");
        assert_eq!(records.plain(), "records 171,000");
        assert_eq!(blobs().plain(), "blobs 171/311 81.2 MB");
        for (rate, text) in [(12.0, "12 B"), (999.6, "1.0 kB"), (98e6, "98 MB"), (0.98e6, "980 kB")]
        {
            assert_eq!(rough_size(rate), text);
        }
        assert_eq!(rough_count(2.44), "2.4");
        let reading = Counts { done: 500, ..Counts::new("reading", Unit::Bytes, Some(1_000_000)) };
        assert!(
            reading.line(100.0, 80, true).ends_with("500 B of 1.00 MB  100 B/s  2 h 46 min left")
        );
    }
}
