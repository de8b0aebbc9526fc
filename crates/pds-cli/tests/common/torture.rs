//! How much the torture tests try, and the rows of their table.

use std::fs::OpenOptions;
use std::io::Write;

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
