//! The clock by which the client waits. Tests have one that does not wait.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pds_core::syntax::datetime::Datetime;

/// A clock, a pause, and the random part of pauses.
pub trait Clock: Debug + Send + Sync {
    /// Returns the time.
    fn now(&self) -> SystemTime;

    /// Waits.
    fn sleep(&self, time: Duration);

    /// Returns a random number.
    fn random(&self) -> u32;
}

/// The clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    fn random(&self) -> u32 {
        // Without randomness the pauses are only longer than they need to be.
        getrandom::u32().unwrap_or(u32::MAX)
    }
}

/// Returns the time of the system.
pub(crate) fn now() -> Datetime {
    datetime(SystemTime::now())
}

/// Returns a time as a datetime. Times before 1970 and after the year 9999 become the nearest one within.
fn datetime(time: SystemTime) -> Datetime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX).min(LAST_MICROS);
    Datetime::from_unix_micros(micros).unwrap_or_else(|| unreachable!("it is between both ends"))
}

/// The last microsecond of the year 9999, since 1970.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_out_of_range_are_read() {
        let shown = |time: SystemTime| datetime(time).to_string();
        assert!(shown(UNIX_EPOCH - Duration::from_secs(9)).starts_with("1970-01-01T00:00:00"));
        let last = UNIX_EPOCH + Duration::from_micros(LAST_MICROS.unsigned_abs());
        assert!(shown(last).starts_with("9999-12-31T23:59:59.999999"));
        for after in [Duration::from_micros(1), Duration::from_secs(1 << 40)] {
            assert_eq!(shown(last + after), shown(last));
        }
    }
}
