//! Signals that end the process: interrupt (Ctrl-C), terminate, hang-up.
//!
//! A thread waits for them. It removes every unfinished file and directory of the process, and ends it with exit code
//! 128 + n. No state is torn: a change of a store is one transaction, which the next process that opens the store rolls
//! back, and other files get their final names only when they are complete. A signal one second or more after the first
//! ends the process at once. Earlier ones do not: `timeout` and terminals may send the same signal twice.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pds::unfinished::remove_all;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::process::editor::name_kept;
use crate::process::progress;
use crate::process::text::say;
use crate::terminal::lent::is_lent;

/// Ends the process cleanly at a signal from now on.
///
/// Signals that the process was started to ignore stay ignored, as `nohup` and background jobs of scripts expect.
pub(crate) fn end_cleanly() {
    let ignored = ignored_signals();
    let is_ignored = |signal: i32| {
        ignored.checked_shr(signal.unsigned_abs() - 1).is_some_and(|bits| bits & 1 == 1)
    };
    let signals: Vec<i32> =
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)).collect();
    // If this fails, signals end the process without removing anything; the next run does that.
    let Ok(mut signals) = Signals::new(&signals) else { return };
    let wait = move || {
        let mut first: Option<Instant> = None;
        for signal in signals.forever() {
            match first {
                None if signal == SIGINT && is_lent() => {}
                None => {
                    first = Some(Instant::now());
                    if start("end", move || end(signal)).is_err() {
                        end(signal);
                    }
                }
                Some(first) if first.elapsed() >= PATIENCE => low_level::exit(128 + signal),
                Some(_) => {}
            }
        }
    };
    // If this fails, signals end the process without removing anything; the next run does that.
    let _ = start("signals", wait);
}

/// Whether the same command continues after an interruption.
static CONTINUES: AtomicBool = AtomicBool::new(false);

/// Records whether the same command continues after an interruption. The message about a signal then says so.
pub(crate) fn allow_continuation(continues: bool) {
    CONTINUES.store(continues, Ordering::Relaxed);
}

/// How long the removal of unfinished work goes on before another signal ends it.
const PATIENCE: Duration = Duration::from_secs(1);

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

fn end(signal: i32) {
    // Other threads wait for this when they would complete or remove a file.
    let _ending = remove_all();
    progress::silence();
    name_kept();
    if CONTINUES.load(Ordering::Relaxed) {
        say("interrupted; the same command continues");
    }
    // A shell stops its loop only if the interrupted program was ended by the signal itself.
    if signal == SIGINT && io::stdin().is_terminal() {
        let _ = low_level::emulate_default_handler(signal);
    }
    low_level::exit(128 + signal);
}

/// Returns the mask of the signals that this process ignores since its start. It is not known on all systems.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
