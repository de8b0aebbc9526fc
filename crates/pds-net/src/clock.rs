//! The clock by which the client waits. Tests have one that does not wait.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, SystemTime};

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
