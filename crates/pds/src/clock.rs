//! The source of TIDs.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pds_core::syntax::tid::Tid;

/// A source of increasing TIDs, even if the clock of the system steps back.
///
/// Within a process it remembers the last TID. Between processes, the head of the repository gives the order:
/// every TID is greater than its rev, and a writer whose head is no longer the present one starts again.
#[derive(Debug)]
pub(crate) struct Clock {
    id: u16,
    last: Mutex<Option<Tid>>,
}

impl Clock {
    /// Makes the next TID. Returns `None` after the greatest possible TID.
    pub(crate) fn next(&self, after: Option<Tid>) -> Option<Tid> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Tid::next(now_micros(), self.id, after.max(*last))?;
        *last = Some(next);
        Some(next)
    }
}

impl Default for Clock {
    fn default() -> Self {
        // The standard library seeds its hashers with random bits of the system. The ID needs ten of them.
        let random = RandomState::new().build_hasher().finish();
        let [low, high, ..] = random.to_le_bytes();
        Self { id: u16::from_le_bytes([low, high]) & 0x3ff, last: Mutex::default() }
    }
}

/// Returns the time in microseconds since 1970. An earlier clock counts as 1970.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
