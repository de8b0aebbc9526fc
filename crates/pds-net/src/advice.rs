//! What an answer says about further requests: `Retry-After`, and the `RateLimit-` headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Above this number, `RateLimit-Reset` is a time. Below, it is a number of seconds.
const FIRST_TIME: u64 = 1_000_000_000;

/// The longest time that is computed with. It is far above each bound of a wait.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What an answer says about further requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Advice {
    /// The time before which no request is welcome.
    pub(crate) retry_at: Option<SystemTime>,
    /// The requests that remain until `reset_at`.
    pub(crate) remaining: Option<u64>,
    /// The time from which there are new requests.
    pub(crate) reset_at: Option<SystemTime>,
}

impl Advice {
    /// Reads the headers of an answer with a status.
    pub(crate) fn read<'a>(
        status: u16,
        header: impl Fn(&str) -> Option<&'a str>,
        now: SystemTime,
    ) -> Self {
        let number = |name| header(name).and_then(|text: &str| text.trim().parse::<u64>().ok());
        let reset_at = number("ratelimit-reset").map(|reset| {
            let is_time = reset > FIRST_TIME;
            if is_time { time_of(reset, now) } else { after(now, Duration::from_secs(reset)) }
        });
        let remaining = number("ratelimit-remaining");
        let asked = header("retry-after").and_then(|text| retry_after(text, now));
        let retry_at = match status {
            429 => asked.or(reset_at),
            503 => asked,
            _ => None,
        };
        Self { retry_at, remaining, reset_at }
    }
}

/// Parses `Retry-After`: seconds, or a date.
fn retry_after(text: &str, now: SystemTime) -> Option<SystemTime> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that is too large is a very long time.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(after(now, Duration::from_secs(seconds)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.min(after(now, LONGEST)))
}

fn time_of(seconds: u64, now: SystemTime) -> SystemTime {
    let latest = after(now, LONGEST);
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).map_or(latest, |time| time.min(latest))
}

fn after(now: SystemTime, time: Duration) -> SystemTime {
    now.checked_add(time.min(LONGEST)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The time of these tests, in seconds.
    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn read(status: u16, headers: &[(&str, &str)]) -> Advice {
        let header =
            |name: &str| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        Advice::read(status, header, at(NOW))
    }

    #[test]
    fn seconds_dates_and_resets() {
        let retry = |text| read(429, &[("retry-after", text)]).retry_at;
        assert_eq!(retry("7"), Some(at(NOW + 7)));
        assert_eq!(retry(" 0 "), Some(at(NOW)));
        assert_eq!(retry("Fri, 15 Jan 2027 08:01:00 GMT"), Some(at(NOW + 60)));
        assert_eq!(retry("99999999999999999999999"), Some(at(NOW) + LONGEST));
        assert_eq!(retry("-1"), None);
        assert_eq!(retry("soon"), None);
        assert_eq!(retry(""), None);
        let reset = |text| read(200, &[("ratelimit-reset", text)]).reset_at;
        assert_eq!(reset("7"), Some(at(NOW + 7)));
        assert_eq!(reset("1800000060"), Some(at(NOW + 60)));
        assert_eq!(reset("18446744073709551615"), Some(at(NOW) + LONGEST));
    }

    #[test]
    fn only_some_answers_ask_for_a_wait() {
        let headers =
            [("retry-after", "7"), ("ratelimit-reset", "9"), ("ratelimit-remaining", "3")];
        assert_eq!(read(429, &headers).retry_at, Some(at(NOW + 7)));
        assert_eq!(read(503, &headers).retry_at, Some(at(NOW + 7)));
        assert_eq!(read(200, &headers).retry_at, None);
        assert_eq!(read(429, &headers[1..]).retry_at, Some(at(NOW + 9)));
        assert_eq!(read(200, &headers).remaining, Some(3));
    }

    proptest! {
        #[test]
        fn no_header_panics(text: String, number: u64, status in 100u16..600) {
            for text in [text, number.to_string()] {
                let advice = read(status, &[
                    ("retry-after", &text),
                    ("ratelimit-reset", &text),
                    ("ratelimit-remaining", &text),
                ]);
                let latest = at(NOW) + LONGEST;
                prop_assert!(advice.retry_at.is_none_or(|time| time <= latest));
                prop_assert!(advice.reset_at.is_none_or(|time| time <= latest));
            }
        }
    }
}
