//! How much the torture tests try, what chance chooses, and the rows of their table.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::say;

/// Tells whether everything is to be tried (`PDS_TORTURE=full`) and not a sample.
fn is_full() -> bool {
    std::env::var_os("PDS_TORTURE").is_some_and(|value| value == "full")
}

/// How many cases a test tries: a sample in the gate, more in the full run.
pub(crate) fn amount(sample: usize, full: usize) -> usize {
    if is_full() { full } else { sample }
}

/// Says what a test has tried and found, and adds the row to the file `PDS_TORTURE_TABLE`.
pub(crate) fn row(part: &str, tried: usize, found: &str) {
    say(&format!("torture: {part}: {tried} tried: {found}"));
    if let Some(table) = std::env::var_os("PDS_TORTURE_TABLE") {
        let mut table = OpenOptions::new().create(true).append(true).open(table).unwrap();
        // One write, because tests run at the same time.
        table.write_all(format!("{part}\t{tried}\t{found}\n").as_bytes()).unwrap();
    }
}

/// A small generator (xorshift64*), so that a run can be repeated from its seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds give unlike numbers.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.below(2);
        random
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// `PDS_TORTURE_SEED`, or one from the clock.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("PDS_TORTURE_SEED").ok();
    given.map_or_else(
        || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 1_000_000,
        |given| given.parse().unwrap(),
    )
}
