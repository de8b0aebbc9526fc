//! Which failures are tried again, and after which pause.

use std::time::Duration;

use crate::error::Error;
use crate::limits::{FIRST_PAUSE, LONGEST_PAUSE, TRIES};
use crate::request::{Method, Request};

/// Returns whether a request is sent again after a failure of the given try, counted from 1.
pub(crate) fn is_repeated(request: &Request<'_>, error: &Error, try_number: u32) -> bool {
    if request.is_once || try_number >= TRIES || !error.is_retryable() {
        return false;
    }
    match error {
        // The wait was refused, or another process holds the repository: a pause changes nothing.
        Error::RateLimited { .. } | Error::Busy => false,
        // Only an answer that refused the request says that nothing has changed.
        _ if request.method == Method::Post => error.status() == Some(429),
        _ => true,
    }
}

/// Returns the pause after the given try: from one half to the whole of a time that doubles.
pub(crate) fn pause(try_number: u32, random: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << try_number.saturating_sub(1).min(20));
    let half = doubled.min(LONGEST_PAUSE) / 2;
    half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::request::Bounds;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let longest: Vec<u64> = (1..=8).map(|number| pause(number, u32::MAX).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(1, 0), Duration::from_millis(500));
        assert_eq!(pause(u32::MAX, 0), Duration::from_secs(30));
    }

    #[test]
    fn a_change_is_repeated_only_if_nothing_changed() {
        let host: Host = "https://a.com".parse().unwrap();
        let read = Request::query(&host, "a.b.c", Bounds::JSON);
        let write = Request::procedure(&host, "a.b.c", "application/json", b"{}", Bounds::JSON);
        let http = |status| Error::Http { url: "u".into(), status, error: None, message: None };
        let cut = || Error::Cut { url: "u".into(), bytes: 1 };
        for status in [408, 425, 429, 500, 502, 503, 504, 522] {
            assert!(is_repeated(&read, &http(status), 1), "{status}");
            assert_eq!(is_repeated(&write, &http(status), 1), status == 429, "{status}");
        }
        for status in [304, 400, 401, 403, 404, 413, 501, 505, 511, 599, 601] {
            assert!(!is_repeated(&read, &http(status), 1), "{status}");
        }
        assert!(is_repeated(&read, &cut(), 4) && !is_repeated(&read, &cut(), 5));
        assert!(!is_repeated(&write, &cut(), 1));
        assert!(!is_repeated(&read.once(), &cut(), 1));
    }
}
