//! Times that arguments name: a date, a date-time, or a distance from now.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};

/// A time, from its first moment to its last: `2026-11-27` is a whole day, and `20:00` a whole minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct When {
    first: Timestamp,
    last: Timestamp,
}

impl When {
    /// Reads a time in the zone of this machine.
    pub(crate) fn read(text: &str) -> Option<Self> {
        Self::parse(text, &Zoned::now())
    }

    /// Reads a time as it is meant at a moment. Dates, and times without a zone, are in the zone of that moment.
    ///
    /// The forms are `now`, `today`, `yesterday`, `3 days ago` (or `3.days.ago`, which needs no quotes in a shell),
    /// `2026-11-27`, and `2026-11-27T20:00` with or without seconds and a zone.
    pub(crate) fn parse(text: &str, now: &Zoned) -> Option<Self> {
        let zone = now.time_zone();
        match text {
            "now" => Some(Self::at(now.timestamp())),
            "today" => Self::day(now.date(), zone),
            "yesterday" => Self::day(now.date().yesterday().ok()?, zone),
            text if text.ends_with("ago") => Self::ago(text, now),
            text if text.len() == DATE_CHARS => Self::day(text.parse().ok()?, zone),
            text => Self::of_date_time(text, zone),
        }
    }

    /// Returns the first moment.
    pub(crate) fn first(self) -> Timestamp {
        self.first
    }

    /// Returns the first moment in microseconds since 1970. A time before 1970 counts as 1970.
    pub(crate) fn first_micros(self) -> u64 {
        u64::try_from(self.first.as_microsecond()).unwrap_or(0)
    }

    /// Returns the last moment in microseconds since 1970.
    pub(crate) fn last_micros(self) -> u64 {
        u64::try_from(self.last.as_microsecond()).unwrap_or(0)
    }

    fn at(moment: Timestamp) -> Self {
        Self { first: moment, last: moment }
    }

    /// Returns a day in a zone. It may have 23 or 25 hours.
    fn day(day: Date, zone: &TimeZone) -> Option<Self> {
        let start = |day: Date| Some(day.to_zoned(zone.clone()).ok()?.timestamp());
        Self::between(start(day)?, start(day.tomorrow().ok()?)?)
    }

    /// Returns the time from a moment to just before another one.
    fn between(first: Timestamp, end: Timestamp) -> Option<Self> {
        Some(Self { first, last: end.checked_sub(1.microsecond()).ok()? })
    }

    /// Reads `3 days ago`: the moment that is so far back, at the same time of the day.
    fn ago(text: &str, now: &Zoned) -> Option<Self> {
        let words: Vec<&str> = text.split([' ', '.']).filter(|word| !word.is_empty()).collect();
        let [count, unit, "ago"] = words[..] else { return None };
        let count: i64 = match count {
            "a" | "an" => 1,
            count if count.bytes().all(|byte| byte.is_ascii_digit()) => count.parse().ok()?,
            _ => return None,
        };
        let span = Span::new();
        let span = match unit.strip_suffix('s').unwrap_or(unit) {
            "second" => span.try_seconds(count),
            "minute" => span.try_minutes(count),
            "hour" => span.try_hours(count),
            "day" => span.try_days(count),
            "week" => span.try_weeks(count),
            "month" => span.try_months(count),
            "year" => span.try_years(count),
            _ => return None,
        };
        Some(Self::at(now.checked_sub(span.ok()?).ok()?.timestamp()))
    }

    /// Reads a date with a time, which may have a zone. A time without seconds is a whole minute, and one with whole
    /// seconds a whole second.
    fn of_date_time(text: &str, zone: &TimeZone) -> Option<Self> {
        let (date, time) = text.split_at_checked(DATE_CHARS)?;
        date.parse::<Date>().ok()?;
        let time = time.strip_prefix(['T', 't', ' '])?;
        let end = time.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.'));
        let (length, has_zone) = (end.unwrap_or(time.len()), end.is_some());
        let first = match has_zone {
            true => text.parse().ok()?,
            false => text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok()?.timestamp(),
        };
        match length {
            MINUTE_CHARS => Self::between(first, first.checked_add(1.minute()).ok()?),
            SECOND_CHARS => Self::between(first, first.checked_add(1.second()).ok()?),
            length if length > SECOND_CHARS => Some(Self::at(first)),
            _ => None,
        }
    }
}

/// The length of `2026-11-27`.
const DATE_CHARS: usize = 10;

/// The length of `20:00`.
const MINUTE_CHARS: usize = 5;

/// The length of `20:00:00`.
const SECOND_CHARS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        let now = "2026-11-28T18:30:00[Europe/Zurich]".parse::<Zoned>();
        now.expect("the text is a time in a zone")
    }

    fn read(text: &str) -> Option<(String, String)> {
        let When { first, last } = When::parse(text, &now())?;
        Some((first.to_string(), last.to_string()))
    }

    #[test]
    fn each_form_names_a_time() {
        let moment = |text: &str| (text.to_owned(), text.to_owned());
        let span = |first: &str, last: &str| (first.to_owned(), last.to_owned());
        let last_of = |minute: &str| format!("{minute}:59.999999Z");
        for (text, expected) in [
            ("now", moment("2026-11-28T17:30:00Z")),
            ("today", span("2026-11-27T23:00:00Z", "2026-11-28T22:59:59.999999Z")),
            ("yesterday", span("2026-11-26T23:00:00Z", "2026-11-27T22:59:59.999999Z")),
            ("2026-11-27", span("2026-11-26T23:00:00Z", "2026-11-27T22:59:59.999999Z")),
            // A day with 25 hours, and one with 23.
            ("2026-10-25", span("2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999999Z")),
            ("2026-03-29", span("2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999999Z")),
            // This time was skipped, and the next one came twice.
            ("2026-03-29T02:30", span("2026-03-29T01:30:00Z", &last_of("2026-03-29T01:30"))),
            ("2026-10-25T02:30", span("2026-10-25T00:30:00Z", &last_of("2026-10-25T00:30"))),
            ("2026-11-27T20:00", span("2026-11-27T19:00:00Z", &last_of("2026-11-27T19:00"))),
            ("2026-11-27 20:00", span("2026-11-27T19:00:00Z", &last_of("2026-11-27T19:00"))),
            ("2026-11-27T20:00Z", span("2026-11-27T20:00:00Z", &last_of("2026-11-27T20:00"))),
            ("2026-11-27T20:00+05:30", span("2026-11-27T14:30:00Z", &last_of("2026-11-27T14:30"))),
            ("2026-11-27T20:00:07", span("2026-11-27T19:00:07Z", "2026-11-27T19:00:07.999999Z")),
            ("2026-11-27T20:00:07Z", span("2026-11-27T20:00:07Z", "2026-11-27T20:00:07.999999Z")),
            ("2026-11-27T20:00:07.25Z", moment("2026-11-27T20:00:07.25Z")),
            ("2 minutes ago", moment("2026-11-28T17:28:00Z")),
            ("an hour ago", moment("2026-11-28T16:30:00Z")),
            ("2 days ago", moment("2026-11-26T17:30:00Z")),
            ("2.days.ago", moment("2026-11-26T17:30:00Z")),
            ("1 day ago", moment("2026-11-27T17:30:00Z")),
            ("3 weeks ago", moment("2026-11-07T17:30:00Z")),
            // The same time of the day, before the clocks were set back.
            ("2 months ago", moment("2026-09-28T16:30:00Z")),
            ("1 year ago", moment("2025-11-28T17:30:00Z")),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_name_no_time() {
        for text in [
            "",
            "soon",
            "ago",
            "days ago",
            "2 ago",
            "-2 days ago",
            "2 eons ago",
            "two days ago",
            "2 days",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-29",
            "2026-11-27T",
            "2026-11-27T20",
            "2026-11-27T25:00",
            "20261127",
            "2026-11-27T20:00Q",
            "99999999999999999999 days ago",
            "9000000000 years ago",
            "2026-11-2é",
            "phone",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_before_1970_counts_as_1970() {
        let when = When::parse("1950-01-01", &now());
        assert_eq!(when.map(|when| (when.first_micros(), when.last_micros())), Some((0, 0)));
    }
}
