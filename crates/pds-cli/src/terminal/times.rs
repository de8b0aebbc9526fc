//! Times as people read them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::terminal::line::Line;
use crate::terminal::tone::Tone;

/// The present time and the time zone of the user.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    now: Zoned,
    /// Whether all times are printed in UTC.
    utc: bool,
}

impl Times {
    /// Reads the clock and the time zone.
    pub(crate) fn of_system(utc: bool) -> Self {
        Self { now: Zoned::now(), utc }
    }

    #[cfg(test)]
    fn at(now: Zoned) -> Self {
        Self { now, utc: false }
    }

    /// Returns a time next to the present, at most 16 columns wide: `2 hours ago`, `yesterday 20:03`, `2 Jan 2025`.
    /// A time in the future is yellow.
    pub(crate) fn relative(&self, micros: u64) -> Line {
        let Some(time) = timestamp(micros) else { return Line::of(Tone::Dim, "-") };
        if self.utc {
            return Line::of(Tone::Dim, &utc_text(time));
        }
        let seconds = self.now.timestamp().as_second() - time.as_second();
        if seconds < 0 {
            return Line::of(Tone::Yellow, &format!("in {}", amount(-seconds)));
        }
        let text = match seconds {
            0..MINUTE => "just now".to_owned(),
            MINUTE..RECENT => format!("{} ago", amount(seconds)),
            _ => self.day_and_time(&time.to_zoned(self.zone())),
        };
        Line::of(Tone::Dim, &text)
    }

    /// Returns the day of a time: `today`, `14 Nov`, `2 Jan 2025`.
    pub(crate) fn day(&self, micros: u64) -> String {
        let Some(time) = timestamp(micros) else { return "-".to_owned() };
        if self.utc {
            return utc_text(time).get(..DAY_LETTERS).unwrap_or_default().to_owned();
        }
        let time = time.to_zoned(self.zone());
        match time.date() {
            day if day == self.now.date() => "today".to_owned(),
            day if Some(day) == self.yesterday() => "yesterday".to_owned(),
            day if day.year() == self.now.year() => time.strftime("%-d %b").to_string(),
            _ => time.strftime("%-d %b %Y").to_string(),
        }
    }

    /// Returns the days from one time to another: `24 to 28 Nov`, `30 Dec 2025 to 2 Jan 2026`.
    pub(crate) fn days(&self, first: u64, last: u64) -> String {
        let (Some(start), Some(end)) = (timestamp(first), timestamp(last)) else {
            return "-".to_owned();
        };
        if self.utc {
            let day = |time| utc_text(time).get(..DAY_LETTERS).unwrap_or_default().to_owned();
            let (first, last) = (day(start), day(end));
            return if first == last { first } else { format!("{first} to {last}") };
        }
        let (start, end) = (start.to_zoned(self.zone()), end.to_zoned(self.zone()));
        let is_this_year = [&start, &end].iter().all(|day| day.year() == self.now.year());
        let pattern = if is_this_year { "%-d %b" } else { "%-d %b %Y" };
        let to = end.strftime(pattern);
        match start.date() {
            date if date == end.date() => to.to_string(),
            date if date.first_of_month() == end.date().first_of_month() => {
                format!("{} to {to}", start.day())
            }
            _ => format!("{} to {to}", start.strftime(pattern)),
        }
    }

    /// Returns a time to the second: `28 Nov 2026 15:58:20`.
    pub(crate) fn exact(&self, micros: u64) -> String {
        match timestamp(micros) {
            None => "-".to_owned(),
            Some(time) if self.utc => utc_text(time),
            Some(time) => time.to_zoned(self.zone()).strftime("%-d %b %Y %H:%M:%S").to_string(),
        }
    }

    fn day_and_time(&self, time: &Zoned) -> String {
        let pattern = match time.date() {
            day if day == self.now.date() => "today %H:%M",
            day if Some(day) == self.yesterday() => "yesterday %H:%M",
            day if day.year() == self.now.year() => "%-d %b %H:%M",
            _ => "%-d %b %Y",
        };
        time.strftime(pattern).to_string()
    }

    fn yesterday(&self) -> Option<jiff::civil::Date> {
        self.now.date().yesterday().ok()
    }

    fn zone(&self) -> TimeZone {
        self.now.time_zone().clone()
    }
}

/// Returns a time in UTC, to the second.
fn utc_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn timestamp(micros: u64) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
}

/// Returns a length of time in its largest unit: `12 minutes`.
fn amount(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        DAY..YEAR => (seconds / DAY, "day"),
        _ => (seconds / YEAR, "year"),
    };
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{ending}")
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// Until this age, a time is a number of minutes or hours.
const RECENT: i64 = 6 * HOUR;

/// The length of `2026-11-28`.
const DAY_LETTERS: usize = 10;

/// The width of the widest relative time, `yesterday 20:03` and a space.
pub(crate) const TIME_COLUMNS: usize = 16;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(time: &str) -> (String, String) {
        let now = "2026-11-28T18:00:00+00:00[UTC]".parse::<Zoned>().unwrap();
        let micros = time.parse::<Timestamp>().unwrap().as_microsecond();
        let (times, micros) = (Times::at(now), u64::try_from(micros).unwrap());
        (times.relative(micros).render(false), times.day(micros))
    }

    #[test]
    fn times_are_relative_to_the_present() {
        for (time, text, day) in [
            ("2026-11-28T17:59:30Z", "just now", "today"),
            ("2026-11-28T17:59:00Z", "1 minute ago", "today"),
            ("2026-11-28T17:48:00Z", "12 minutes ago", "today"),
            ("2026-11-28T15:58:20Z", "2 hours ago", "today"),
            ("2026-11-28T12:00:01Z", "5 hours ago", "today"),
            ("2026-11-28T12:00:00Z", "today 12:00", "today"),
            ("2026-11-28T09:12:00Z", "today 09:12", "today"),
            ("2026-11-27T20:03:00Z", "yesterday 20:03", "yesterday"),
            ("2026-11-24T16:47:00Z", "24 Nov 16:47", "24 Nov"),
            ("2025-01-02T00:00:00Z", "2 Jan 2025", "2 Jan 2025"),
            ("2026-11-28T21:30:00Z", "in 3 hours", "today"),
            ("2026-11-28T18:00:01Z", "in 1 second", "today"),
            ("2030-11-28T18:00:00Z", "in 4 years", "28 Nov 2030"),
        ] {
            assert_eq!(shown(time), (text.to_owned(), day.to_owned()), "{time}");
        }
    }

    #[test]
    fn days_of_a_span_name_a_month_or_year_once() {
        let now = "2026-11-28T18:00:00+00:00[UTC]".parse::<Zoned>().unwrap();
        let micros = |day: &str| {
            let time = format!("{day}T12:00:00Z").parse::<Timestamp>().unwrap();
            u64::try_from(time.as_microsecond()).unwrap()
        };
        let mut times = Times::at(now);
        for (first, last, text) in [
            ("2026-11-24", "2026-11-28", "24 to 28 Nov"),
            ("2026-11-28", "2026-11-28", "28 Nov"),
            ("2026-10-24", "2026-11-28", "24 Oct to 28 Nov"),
            ("2025-10-24", "2025-10-25", "24 to 25 Oct 2025"),
            ("2025-11-24", "2026-11-28", "24 Nov 2025 to 28 Nov 2026"),
        ] {
            assert_eq!(times.days(micros(first), micros(last)), text);
        }
        times.utc = true;
        let text = times.days(micros("2026-11-24"), micros("2026-11-28"));
        assert_eq!(text, "2026-11-24 to 2026-11-28");
    }

    #[test]
    fn utc_is_exact() {
        let times = Times { utc: true, ..Times::of_system(true) };
        assert_eq!(times.relative(1_790_000_000_000_000).render(false), "2026-09-21T14:13:20Z");
        assert_eq!(times.day(1_790_000_000_000_000), "2026-09-21");
        assert_eq!(times.relative(u64::MAX).render(false), "-");
    }
}
