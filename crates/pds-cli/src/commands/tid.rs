//! `pds tid`

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use pds::syntax::Tid;

use crate::answers::tid::TidAnswer;
use crate::arguments::when::When;
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::process::text::time_text;

/// Generate a TID, or decode one
///
/// With --time, the TID is that of a time. It has the clock identifier 0, so it comes before every other TID of the same
/// microsecond, and the same time always gives the same TID.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds tid\n  pds tid 3jzfcijpj2z2a\n  pds tid 3hgb-r7t-ngir-t4      decode the old form with hyphens\n  pds tid --time 2026-01-31\n  pds tid --time 2026-01-31T12:00:00Z --clock-id 7\n  pds ls app.bsky.feed.post --after $(pds tid --time 2024-01-01)"
)]
pub(crate) struct Args {
    /// TID to decode
    #[arg(value_parser = Tid::parse_hyphenated)]
    tid: Option<Tid>,

    /// Make the TID of this time: a day, a time like 2026-01-31T12:00, yesterday, '2 days ago', or microseconds since
    /// 1970. The zone is UTC if the time names none
    #[arg(long, value_name = "TIME", conflicts_with = "tid", allow_hyphen_values = true)]
    time: Option<String>,

    /// Clock identifier of the TID, from 0 to 1023 [default: random, and 0 with --time]
    #[arg(long, value_name = "N", conflicts_with = "tid", value_parser = clap::value_parser!(u16).range(..=1023))]
    clock_id: Option<u16>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let (tid, is_new) = match (self.tid, &self.time) {
            (Some(tid), _) => (tid, false),
            (None, Some(time)) => (of_time(time, self.clock_id.unwrap_or(0))?, true),
            (None, None) => (now(self.clock_id)?, true),
        };
        out.answer(&TidAnswer {
            clock_id: tid.clock_id(),
            integer: tid.as_u64(),
            micros: tid.micros(),
            tid: tid.to_string(),
            time: time_text(tid.micros()),
            is_new,
        })?;
        Ok(Exit::Done)
    }
}

/// Generates a TID of the present time.
fn now(clock_id: Option<u16>) -> Result<Tid> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    let clock_id = clock_id.unwrap_or_else(|| u16::from_le_bytes([low, high]));
    Tid::next(now, clock_id, None).context("the clock is past the last TID")
}

/// Makes the TID of a time.
fn of_time(text: &str, clock_id: u16) -> Result<Tid> {
    // The same time gives the same TID on every machine, so the zone is UTC if the text names none.
    let now = Zoned::now().with_time_zone(TimeZone::UTC);
    let time = || match When::parse(text, &now) {
        Some(when) => Some(when.first()),
        None => text.parse::<Timestamp>().ok(),
    };
    let micros = match text.parse::<i64>() {
        // A year, a day, seconds or milliseconds would give a TID of 1970.
        Ok(1..LEAST_MICROS) => {
            let message = format!("{text} microseconds are a time in early 1970");
            return Stated::usage(message).hint(FORMS).fail();
        }
        Ok(micros) => micros,
        Err(_) => match time() {
            Some(time) => time.as_microsecond(),
            None if is_too_late(text) => return out_of_range(text),
            None => return Stated::usage(format!("{text:?} is no time")).hint(FORMS).fail(),
        },
    };
    match u64::try_from(micros).ok().and_then(|micros| Tid::new(micros, clock_id)) {
        Some(tid) => Ok(tid),
        None => out_of_range(text),
    }
}

fn out_of_range(text: &str) -> Result<Tid> {
    Stated::usage(format!("no TID has the time {text}: TIDs are from 1970 to {LAST_YEAR}")).fail()
}

/// Tells whether a text begins with a date after the last TID. The last days of the calendar are dates, but no times.
fn is_too_late(text: &str) -> bool {
    let date = text.get(.."9999-12-31".len()).and_then(|date| date.parse::<Date>().ok());
    date.is_some_and(|date| date.year() > LAST_YEAR)
}

/// The least number of microseconds that is not taken for a slip. Milliseconds of today have 13 digits.
const LEAST_MICROS: i64 = 10_000_000_000_000;

/// The year of the last TID.
const LAST_YEAR: i16 = 2255;

const FORMS: &str = "give --time a day like 2026-01-31 (UTC), a time like 2026-01-31T12:00:00Z, yesterday, \
    '2 days ago', or microseconds since 1970";
