//! Datetimes, as records have them.

/// A point in time in the text form of records, such as `2023-11-23T12:34:56.789Z`.
///
/// The form is the common subset of RFC 3339, ISO 8601 and HTML: a year of four digits, a capital
/// `T` and `Z`, seconds, and a time zone that is not `-00:00`. The fraction has up to 20 digits.
/// The date and time must exist: month 13, 30 February, second 60 and times before the year 0 in
/// UTC are refused.
///
/// The text is kept, so that a record can be written back unchanged. `Ord` is therefore the order
/// of the texts. It differs from the order of time if zones or fractions differ.
///
/// Spec: [Lexicon, "datetime"](https://atproto.com/specs/lexicon#datetime).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Datetime(Box<str>);

checked_text!(Datetime, "datetime", check);

impl Datetime {
    /// Returns the microseconds since the Unix epoch, rounded down. The result is negative before
    /// 1970.
    ///
    /// ```
    /// use pds::syntax::Datetime;
    ///
    /// let datetime: Datetime = "1970-01-01T01:00:01.5+01:00".parse()?;
    /// assert_eq!(datetime.unix_micros(), 1_500_000);
    /// # Ok::<(), pds::syntax::SyntaxError>(())
    /// ```
    pub fn unix_micros(&self) -> i64 {
        micros(self.0.as_bytes()).expect("a datetime has been checked")
    }

    /// Returns the datetime in UTC of a time in microseconds since the Unix epoch, or `None` outside of
    /// the years 0 to 9999. A whole second is written without a fraction.
    ///
    /// ```
    /// use pds::syntax::Datetime;
    ///
    /// let datetime = Datetime::from_unix_micros(1_500_000).expect("the year is 1970");
    /// assert_eq!(datetime.to_string(), "1970-01-01T00:00:01.500000Z");
    /// ```
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let (second, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let (day, in_day) =
            (second.div_euclid(SECONDS_PER_DAY), second.rem_euclid(SECONDS_PER_DAY));
        let (year, month, day) = date_of(day)?;
        let (hour, minute, second) = (in_day / 3_600, in_day / 60 % 60, in_day % 60);
        let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
        let text =
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z");
        Some(Self(text.into()))
    }
}

/// Returns the year, month and day of a day since 1 January 1970, or `None` outside of the years 0 to 9999.
fn date_of(day: i64) -> Option<(i32, i32, i32)> {
    // A year has 365 or 366 days, so no year is later than this one.
    let days_in_year = if day < 0 { 366 } else { 365 };
    let years = i32::try_from(day.div_euclid(days_in_year)).ok().filter(|years| *years < 10_000)?;
    let mut year = 1971 + years;
    while year >= 0 && days_since_epoch((year, 1, 1)) > day {
        year -= 1;
    }
    if !(0..=9_999).contains(&year) {
        return None;
    }
    let mut month = 12;
    while days_since_epoch((year, month, 1)) > day {
        month -= 1;
    }
    let in_month = day - days_since_epoch((year, month, 1));
    Some((year, month, i32::try_from(in_month).ok()? + 1))
}

fn micros(text: &[u8]) -> Result<i64, &'static str> {
    let (date, rest) = text.split_first_chunk().ok_or(SHAPE)?;
    let (time, rest) = rest.split_first_chunk().ok_or(SHAPE)?;
    let minute = days_since_epoch(check_date(date)?) * 24 * 60 + i64::from(check_time(time)?);
    let [.., s1, s2] = *time;
    let zone = skip_fraction(rest)?;
    let second = (minute - i64::from(zone_offset(zone)?)) * 60 + i64::from(number(&[s1, s2])?);
    let fraction = rest.strip_suffix(zone).and_then(|rest| rest.get(1..)).unwrap_or_default();
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0'));
    let fraction = digits.take(6).fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'));
    Ok(second * 1_000_000 + fraction)
}

/// Returns the number of days since 1 January 1970, in the Gregorian calendar.
fn days_since_epoch((year, month, day): (i32, i32, i32)) -> i64 {
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let in_months: i32 = (1..month).map(|month| days_in_month(year, month)).sum();
    i64::from(before * 365 + leap_days + in_months + day - DAYS_BEFORE_1970)
}

fn check(text: &[u8]) -> Result<(), &'static str> {
    if text.len() > MAX_BYTES {
        return Err("a datetime has at most 64 bytes");
    }
    let (date, rest) = text.split_first_chunk().ok_or(SHAPE)?;
    let (time, rest) = rest.split_first_chunk().ok_or(SHAPE)?;
    let is_first_day = check_date(date)? == (0, 1, 1);
    let minute = check_time(time)?;
    let offset = zone_offset(skip_fraction(rest)?)?;

    // Four digits express no year before 0, but an offset of less than a day can lead there.
    if is_first_day && minute < offset {
        return Err("a datetime is not before the year 0 in UTC");
    }
    Ok(())
}

/// Returns the year, month and day.
fn check_date(text: &[u8; 10]) -> Result<(i32, i32, i32), &'static str> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return Err(SHAPE);
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    if !(1..=days_in_month(year, month)).contains(&day) {
        return Err("the date of a datetime is in the calendar");
    }
    Ok((year, month, day))
}

/// Returns the minute of the day.
fn check_time(text: &[u8; 9]) -> Result<i32, &'static str> {
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2] = *text else {
        return Err(SHAPE);
    };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return Err("the time of a datetime is from 00:00:00 to 23:59:59");
    }
    Ok(hour * 60 + minute)
}

/// Returns the text after the fraction of a second, or the whole text if there is no fraction.
fn skip_fraction(text: &[u8]) -> Result<&[u8], &'static str> {
    let [b'.', fraction @ ..] = text else {
        return Ok(text);
    };
    let mut rest = fraction;
    while let [b'0'..=b'9', more @ ..] = rest {
        rest = more;
    }
    match fraction.len() - rest.len() {
        1..=MAX_FRACTION_DIGITS => Ok(rest),
        _ => Err("the fraction of a datetime has 1 to 20 digits"),
    }
}

/// Returns the minutes that the zone is ahead of UTC.
fn zone_offset(text: &[u8]) -> Result<i32, &'static str> {
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = *text else {
        return if text == b"Z" {
            Ok(0)
        } else {
            Err("a datetime ends with Z or an offset like +01:00")
        };
    };
    let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
    if hours > 23 || minutes > 59 {
        return Err("the offset of a datetime is at most 23:59");
    }
    match (sign, hours * 60 + minutes) {
        (b'-', 0) => Err("a datetime writes UTC as Z or +00:00, not as -00:00"),
        (b'-', offset) => Ok(-offset),
        (_, offset) => Ok(offset),
    }
}

fn number(digits: &[u8]) -> Result<i32, &'static str> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok(number * 10 + i32::from(digit - b'0')),
        _ => Err(SHAPE),
    })
}

/// Returns 0 for a month that does not exist.
fn days_in_month(year: i32, month: i32) -> i32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The number of days from 31 December of the year 0 to 1 January 1970.
const DAYS_BEFORE_1970: i32 = 719_163;

const SHAPE: &str = "a datetime looks like 1985-04-12T23:20:50.123Z";
/// This limit and the next are those of the reference implementations; the specification has none.
const MAX_BYTES: usize = 64;
const MAX_FRACTION_DIGITS: usize = 20;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_valid(text: &str) -> bool {
        text.parse::<Datetime>().is_ok()
    }

    #[test]
    fn value_limits() {
        for good in [
            "1985-01-01T00:00:00Z",
            "1985-12-31T23:59:59Z",
            "2024-02-29T00:00:00Z",
            "2000-02-29T00:00:00Z",
            "1985-04-30T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "1985-00-01T00:00:00Z",
            "1985-01-00T00:00:00Z",
            "1985-13-01T00:00:00Z",
            "1985-01-32T00:00:00Z",
            "1985-04-31T00:00:00Z",
            "1985-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1985-01-01T24:00:00Z",
            "1985-01-01T00:60:00Z",
            "1985-01-01T00:00:60Z",
            "1985-01-01T00:00:00+24:00",
            "1985-01-01T00:00:00+00:60",
            "1985-01-01T00:00:00-00:00",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn fraction_limits() {
        let with_digits = |n: usize| format!("1985-04-12T23:20:50.{}Z", "9".repeat(n));
        assert!(!is_valid(&with_digits(0)));
        assert!(is_valid(&with_digits(1)));
        assert!(is_valid(&with_digits(20)));
        assert!(!is_valid(&with_digits(21)));
    }

    #[test]
    fn the_beginning_of_time() {
        assert!(is_valid("0000-01-01T00:00:00Z"));
        assert!(is_valid("0000-01-01T00:00:00-01:00"));
        assert!(is_valid("0000-01-01T01:30:00+01:30"));
        assert!(!is_valid("0000-01-01T01:29:59.999+01:30"));
        assert!(is_valid("0000-01-02T00:00:00+23:59"));
    }

    /// The counts of consecutive days differ by one, and a few known moments match.
    #[test]
    fn every_day_is_one_after_the_day_before() {
        let mut expected = days_since_epoch((0, 1, 1));
        for year in 0..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_since_epoch((year, month, day)), expected);
                    assert_eq!(date_of(expected), Some((year, month, day)));
                    expected += 1;
                }
            }
        }
        for outside in [days_since_epoch((0, 1, 1)) - 1, expected, i64::MIN, i64::MAX] {
            assert_eq!(date_of(outside), None);
        }
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2001-09-09T01:46:40Z", 1_000_000_000_000_000),
            ("2001-09-09T03:46:40.1234567+02:00", 1_000_000_000_123_456),
            ("2024-02-29T12:00:00.057-00:30", 1_709_209_800_057_000),
        ] {
            assert_eq!(text.parse::<Datetime>().unwrap().unix_micros(), micros, "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            text in "[0-9]{3}[1-9]-(0[1-9]|1[0-2])-([01][1-9]|2[0-8])T\
                     [01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,20})?(Z|[+-]0[1-9]:[0-5][0-9])"
        ) {
            let datetime = Datetime::try_from(text.clone()).unwrap();
            prop_assert_eq!(datetime.to_string(), text);
        }

        #[test]
        fn a_time_reads_back(
            any in any::<i64>(),
            near in -70_000_000_000_000_000..300_000_000_000_000_000_i64,
        ) {
            // From the year 0 to the year 9999.
            let years = -62_167_219_200_000_000..253_402_300_800_000_000;
            for micros in [any, near] {
                let datetime = Datetime::from_unix_micros(micros);
                prop_assert_eq!(datetime.is_some(), years.contains(&micros));
                if let Some(datetime) = datetime {
                    let read: Datetime = datetime.to_string().parse().unwrap();
                    prop_assert_eq!(read.unix_micros(), micros);
                }
            }
        }

        #[test]
        fn one_changed_byte_never_panics(at in 0..29_usize, byte in any::<u8>()) {
            let mut text = *b"1985-04-12T23:20:50.123+01:45";
            text[at] = byte;
            let _ = check(&text);
        }

        #[test]
        fn never_panics(text in any::<String>(), rest in "[0-9:.Z+é-]{0,12}") {
            let _ = text.parse::<Datetime>();
            let _ = format!("1985-04-12T23:20:50{rest}").parse::<Datetime>();
        }
    }
}
