//! Memory and time stay bounded for any input.

mod fixtures;
mod history;
mod hostile_files;
mod hostile_input;
mod hostile_proofs;
mod hostile_trees;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::common::{Ended, Home, Run};

/// Runs something that has a number of bytes to read, within the limits on memory and time.
fn bounded(run: Run, input_bytes: usize) -> Ended {
    let started = Instant::now();
    let ended = run.ended();
    let (elapsed, peak) = (started.elapsed(), ended.peak_kib);
    let allowed = idle_kib() + MEMORY_KIB + input_bytes as u64 / 1024;
    assert!(peak <= allowed, "{peak} KiB where {allowed} are allowed: {}", ended.stderr);
    assert!(elapsed < TIME, "took {elapsed:?}: {}", ended.stderr);
    ended
}

/// The memory of a run that does nothing.
fn idle_kib() -> u64 {
    static IDLE_KIB: OnceLock<u64> = OnceLock::new();
    *IDLE_KIB.get_or_init(|| Home::new().pds(["--version"]).ended().peak_kib)
}

const MEMORY_KIB: u64 = 64 * 1024;

/// For a machine that does other things too.
const TIME: Duration = Duration::from_secs(20);
