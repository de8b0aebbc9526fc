//! When a followed mirror is pulled: at most once a minute for its events, and once in a while without any.

use std::time::{Duration, Instant};

/// The pulls of one mirror.
#[derive(Debug)]
pub(super) struct PullPace {
    /// The time of the pull that an event asks for.
    due: Option<Instant>,
    /// The time of the pull without an event.
    regular: Instant,
    not_before: Option<Instant>,
    pause: Duration,
    /// Whether the next pull is not caused by an event, so that it does not count.
    is_free: bool,
}

impl PullPace {
    /// Begins with a pull after a time, if no event asks for one before.
    pub(super) fn new(now: Instant, first: Duration) -> Self {
        Self {
            due: None,
            regular: now + first,
            not_before: None,
            pause: FIRST_PAUSE,
            is_free: false,
        }
    }

    /// Asks for a pull as soon as the pace permits one.
    pub(super) fn ask(&mut self, now: Instant) {
        let earliest = self.not_before.unwrap_or(now);
        if now.saturating_duration_since(earliest) > self.pause {
            self.pause = FIRST_PAUSE;
        }
        self.due.get_or_insert(now.max(earliest));
    }

    /// Asks for a pull now. It does not count for the pace.
    pub(super) fn ask_now(&mut self, now: Instant) {
        self.due = Some(now);
        self.is_free = true;
    }

    /// Makes the pull without an event come after a time at the latest.
    pub(super) fn within(&mut self, now: Instant, time: Duration) {
        self.regular = self.regular.min(now + time);
    }

    /// Returns whether an event asks for a pull that was not made yet.
    pub(super) fn is_asked(&self) -> bool {
        self.due.is_some()
    }

    /// Returns whether it is time for a pull.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now) || self.regular <= now
    }

    /// Notes a pull. If it found nothing new, the next pull for an event waits twice as long as the one before.
    pub(super) fn done(&mut self, now: Instant, found: bool, regular: Duration) {
        if found {
            self.pause = FIRST_PAUSE;
        }
        (self.due, self.regular) = (None, now + regular);
        if std::mem::take(&mut self.is_free) {
            return;
        }
        self.not_before = Some(now + self.pause);
        if !found {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// The pause after a pull that an event asked for.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause after pulls that found nothing new.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// Asks for a pull at each second, makes it when it is due, and returns the seconds of the pulls.
    fn pulls(found: bool, seconds: u64) -> Vec<u64> {
        let start = Instant::now();
        let mut pace = PullPace::new(start, DAY);
        let mut pulls = Vec::new();
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            pace.ask(now);
            if pace.is_due(now) {
                pulls.push(second);
                pace.done(now, found, DAY);
            }
        }
        pulls
    }

    #[test]
    fn pulls_for_true_events_are_a_minute_apart() {
        assert_eq!(pulls(true, 200), [0, 60, 120, 180]);
    }

    #[test]
    fn pulls_for_nothing_are_up_to_an_hour_apart() {
        let gaps = [0, 60, 120, 240, 480, 960, 1920, 3600, 3600];
        let mut at = 0;
        let expected = gaps.map(|gap| {
            at += gap;
            at
        });
        assert_eq!(pulls(false, at + 1), expected);
    }

    #[test]
    fn a_quiet_time_begins_again() {
        let start = Instant::now();
        let mut pace = PullPace::new(start, DAY);
        for _ in 0..4 {
            pace.done(start, false, DAY);
        }
        let later = start + LONGEST_PAUSE;
        pace.ask(later);
        pace.done(later, false, DAY);
        pace.ask(later);
        assert!(!pace.is_due(later + Duration::from_secs(59)) && pace.is_asked());
        assert!(pace.is_due(later + Duration::from_secs(60)));
    }

    #[test]
    fn a_pull_without_an_event_comes_after_its_time() {
        let start = Instant::now();
        let mut pace = PullPace::new(start, DAY);
        assert!(!pace.is_due(start) && pace.is_due(start + DAY));
        pace.done(start + DAY, true, DAY);
        assert!(!pace.is_due(start + DAY) && pace.is_due(start + DAY * 2));
        pace.ask_now(start + DAY);
        assert!(pace.is_due(start + DAY));
        pace.done(start + DAY, false, DAY);
        pace.ask(start + DAY * 2);
        assert!(pace.is_due(start + DAY * 2));
    }
}
