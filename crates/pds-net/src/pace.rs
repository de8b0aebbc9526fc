//! The speed of a body. Only the time spent waiting for the host counts.

use std::time::Duration;

use crate::options::Patience;

/// Measures bytes and waiting time over windows.
#[derive(Debug)]
pub(crate) struct Pace {
    patience: Patience,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Begins to measure.
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, waited: Duration::ZERO, bytes: 0 }
    }

    /// Adds bytes and the time in which they arrived. Returns whether the body is fast enough.
    pub(crate) fn passes(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.waited < self.patience.pace_window {
            return true;
        }
        let wanted = self.patience.slowest_bytes_a_second as f64 * self.waited.as_secs_f64();
        let is_fast = self.bytes as f64 >= wanted;
        *self = Self::new(self.patience);
        is_fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> Pace {
        Pace::new(Patience::default())
    }

    #[test]
    fn a_byte_a_second_ends_after_a_window() {
        let mut pace = pace();
        let passed = (0..100).take_while(|_| pace.passes(SECOND, 1)).count();
        assert_eq!(passed, 59);
    }

    #[test]
    fn a_kibibyte_a_second_goes_on() {
        let mut pace = pace();
        assert!((0..1000).all(|_| pace.passes(SECOND, 1024)));
    }

    #[test]
    fn a_fast_start_does_not_pay_for_a_slow_end() {
        let mut pace = pace();
        assert!(pace.passes(Duration::from_millis(1), 100 << 20));
        assert!((0..60).all(|_| pace.passes(SECOND, 1)));
        assert!(!(0..60).all(|_| pace.passes(SECOND, 1)));
    }

    #[test]
    fn bytes_that_do_not_wait_are_fast() {
        let mut pace = pace();
        assert!((0..10_000).all(|_| pace.passes(Duration::ZERO, 1)));
    }
}
