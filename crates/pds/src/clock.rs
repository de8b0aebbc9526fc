//! The clock: a source of TIDs, and the check of the clock before a commit is signed.
//!
//! A commit with a rev in the future is refused by every other reader until that time, and no earlier rev can follow
//! it. So the clock is compared with the newest time that the repository knows before anything is signed.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pds_core::data::limits::MAX_CLOCK_DRIFT_MICROS;
use pds_core::syntax::datetime::Datetime;
use pds_core::syntax::tid::Tid;

/// A source of increasing TIDs, even if the clock of the system steps back.
///
/// Within a process it remembers the last TID. Between processes, the head of the repository gives the order:
/// every TID is greater than its rev, and a writer whose head is no longer the present one starts again.
pub(crate) struct Clock {
    id: u16,
    last: Mutex<Option<Tid>>,
    time: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Clock {
    /// Makes a clock that reads the time, in microseconds since 1970, from a function.
    pub(crate) fn reading(time: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        // The standard library seeds its hashers with random bits of the system. The ID needs ten of them.
        let random = RandomState::new().build_hasher().finish();
        let [low, high, ..] = random.to_le_bytes();
        let id = u16::from_le_bytes([low, high]) & 0x3ff;
        Self { id, last: Mutex::default(), time: Box::new(time) }
    }

    /// Makes the next TID. Returns `None` after the greatest possible TID.
    pub(crate) fn next(&self, after: Option<Tid>) -> Option<Tid> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Tid::next(self.now_micros(), self.id, after.max(*last))?;
        *last = Some(next);
        Some(next)
    }

    /// Forgets the last TID, so that the next one may be smaller.
    pub(crate) fn restart(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns the time in microseconds since 1970.
    pub(crate) fn now_micros(&self) -> u64 {
        (self.time)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::reading(now_micros)
    }
}

/// Returns the time in microseconds since 1970. An earlier clock counts as 1970.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The time that the clock shows, and the newest time that a repository knows.
///
/// ```
/// use pds::clock::{ClockReading, ClockVerdict, NewestTime};
///
/// let day = 24 * 60 * 60 * 1_000_000;
/// let newest = Some(NewestTime::Logged(500 * day));
/// let verdict = |now_micros| ClockReading { now_micros, newest }.verdict();
/// assert_eq!(verdict(500 * day), ClockVerdict::Plausible);
/// assert_eq!(verdict(500 * day - day / 2), ClockVerdict::Late);
/// assert_eq!(verdict(498 * day), ClockVerdict::Behind);
/// assert_eq!(verdict(901 * day), ClockVerdict::Ahead);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The time of the clock, in microseconds since 1970.
    pub now_micros: u64,
    /// The newest time that the repository knows; `None` before its first commit.
    pub newest: Option<NewestTime>,
}

/// The newest time that a repository knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewestTime {
    /// The time of the newest log entry, in microseconds since 1970.
    Logged(u64),
    /// The rev that the next commit has to exceed.
    Rev(Tid),
}

/// The relation of the clock to the newest time that the repository knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockVerdict {
    /// The clock may be right.
    Plausible,
    /// The clock is between five minutes and a day behind.
    Late,
    /// The clock is more than a day behind.
    Behind,
    /// The clock is more than 400 days ahead.
    Ahead,
}

impl ClockReading {
    /// Returns the time of the system, compared with nothing.
    #[must_use]
    pub fn now() -> Self {
        Self { now_micros: now_micros(), newest: None }
    }

    /// Compares the clock with the later one of a log time and a rev.
    pub(crate) fn of(now_micros: u64, logged: Option<u64>, after: Option<Tid>) -> Self {
        let times = [logged.map(NewestTime::Logged), after.map(NewestTime::Rev)];
        let newest = times.into_iter().flatten().max_by_key(|time| time.micros());
        Self { now_micros, newest }
    }

    /// Returns whether the clock may be right.
    #[must_use]
    pub fn verdict(&self) -> ClockVerdict {
        let Some(newest) = self.newest.map(NewestTime::micros) else {
            return ClockVerdict::Plausible;
        };
        match (newest.saturating_sub(self.now_micros), self.now_micros.saturating_sub(newest)) {
            (behind, _) if behind > MAX_BEHIND_MICROS => ClockVerdict::Behind,
            (behind, _) if behind >= MAX_CLOCK_DRIFT_MICROS => ClockVerdict::Late,
            (_, ahead) if ahead > MAX_AHEAD_MICROS => ClockVerdict::Ahead,
            _ => ClockVerdict::Plausible,
        }
    }

    /// Returns whether the clock shows a time before the release of this version of the library, so that it is wrong.
    #[must_use]
    pub fn is_before_release(&self) -> bool {
        self.now_micros < RELEASED_MICROS
    }
}

impl NewestTime {
    /// Returns the microseconds since 1970.
    #[must_use]
    pub fn micros(self) -> u64 {
        match self {
            Self::Logged(micros) => micros,
            Self::Rev(rev) => rev.micros(),
        }
    }
}

impl fmt::Display for ClockReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the clock of this machine shows {}", time_text(self.now_micros))?;
        let Some(newest) = self.newest else { return Ok(()) };
        let (then, days) =
            (newest.micros(), self.now_micros.abs_diff(newest.micros()) / DAY_MICROS);
        let relation = if self.now_micros < then { "before" } else { "after" };
        match days {
            0 => write!(f, ", {} minutes", self.now_micros.abs_diff(then) / 60_000_000)?,
            1 => f.write_str(", 1 day")?,
            days => write!(f, ", {days} days")?,
        }
        match newest {
            NewestTime::Logged(_) => write!(f, " {relation} the newest log entry")?,
            NewestTime::Rev(rev) => write!(f, " {relation} rev {rev}")?,
        }
        write!(f, " ({})", time_text(then))
    }
}

/// Returns a time in UTC, to the second.
pub(crate) fn time_text(micros: u64) -> String {
    let seconds = i64::try_from(micros / 1_000_000 * 1_000_000).ok();
    let time = seconds.and_then(Datetime::from_unix_micros);
    time.map_or_else(|| "a time after the year 9999".to_owned(), |time| time.to_string())
}

const DAY_MICROS: u64 = 24 * 60 * 60 * 1_000_000;

/// The clock may be behind by this much: a host that was suspended, or that waits for its time server.
const MAX_BEHIND_MICROS: u64 = DAY_MICROS;

/// The clock may be ahead by this much: an account that writes once a year.
const MAX_AHEAD_MICROS: u64 = 400 * DAY_MICROS;

/// The release of this version: 2026-11-29T00:00:00Z. A constant makes builds reproducible.
const RELEASED_MICROS: u64 = 1_795_910_400_000_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_the_clock() {
        let newest = 1_000 * DAY_MICROS;
        let minute = 60_000_000;
        for (now, verdict) in [
            (newest, ClockVerdict::Plausible),
            (newest - 5 * minute + 1, ClockVerdict::Plausible),
            (newest - 5 * minute, ClockVerdict::Late),
            (newest - DAY_MICROS, ClockVerdict::Late),
            (newest - DAY_MICROS - 1, ClockVerdict::Behind),
            (0, ClockVerdict::Behind),
            (newest + 400 * DAY_MICROS, ClockVerdict::Plausible),
            (newest + 400 * DAY_MICROS + 1, ClockVerdict::Ahead),
            (u64::MAX, ClockVerdict::Ahead),
        ] {
            let rev = Tid::new(newest, 3);
            assert_eq!(ClockReading::of(now, Some(newest), None).verdict(), verdict, "{now}");
            assert_eq!(ClockReading::of(now, None, rev).verdict(), verdict, "{now}");
            // The later one counts.
            assert_eq!(ClockReading::of(now, Some(0), rev).verdict(), verdict, "{now}");
            assert_eq!(ClockReading::of(now, Some(newest), Tid::new(5, 0)).verdict(), verdict);
            assert_eq!(ClockReading::of(now, None, None).verdict(), ClockVerdict::Plausible);
        }
    }

    #[test]
    fn a_reading_names_both_times() {
        let (now, rev) = (1_700_000_000_000_000, Tid::new(1_800_000_000_000_000, 0));
        let reading = ClockReading::of(now, Some(now), rev);
        assert_eq!(
            reading.to_string(),
            format!(
                "the clock of this machine shows 2023-11-14T22:13:20Z, 1157 days before rev {} \
                 (2027-01-15T08:00:00Z)",
                rev.unwrap()
            )
        );
        let reading = ClockReading::of(now, Some(now - 90_000_000), None);
        assert_eq!(
            reading.to_string(),
            "the clock of this machine shows 2023-11-14T22:13:20Z, 1 minutes after the newest log entry \
             (2023-11-14T22:11:50Z)"
        );
    }

    /// A new version has a new date: change both together.
    #[test]
    fn the_release_is_not_in_the_future() {
        assert_eq!(env!("CARGO_PKG_VERSION"), "0.1.0");
        assert_eq!(time_text(RELEASED_MICROS), "2026-11-29T00:00:00Z");
        assert!(now_micros() > RELEASED_MICROS);
        let reading = |now| ClockReading::of(now, None, None).is_before_release();
        assert!(reading(RELEASED_MICROS - 1) && !reading(RELEASED_MICROS));
    }
}
