//! The checks of every store, and the order in which they run.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::conformance::support::Check;
use crate::conformance::{
    blocks, facts, log, maintain, queries, race, refs, sweep, sweep_change, sweep_log, views,
};
use crate::store::Store;

/// Runs the whole suite. Each check has its own empty store.
///
/// # Panics
///
/// If the store breaks a rule of the traits. The message names the rule.
pub fn check(make: &dyn Fn() -> Box<dyn Store>) {
    let themes: [&[Check]; 11] = [
        blocks::CHECKS,
        refs::CHECKS,
        log::CHECKS,
        queries::CHECKS,
        facts::CHECKS,
        views::CHECKS,
        race::CHECKS,
        sweep::CHECKS,
        sweep_change::CHECKS,
        sweep_log::CHECKS,
        maintain::CHECKS,
    ];
    for (rule, check) in themes.into_iter().flatten() {
        run(rule, *check, make());
    }
}

/// Runs one check in a separate thread, so that a store that waits for itself fails the suite and
/// does not hang it.
fn run(rule: &str, check: fn(&dyn Store), store: Box<dyn Store>) {
    let store: Arc<dyn Store> = Arc::from(store);
    let (done, is_done) = channel();
    let thread = thread::Builder::new().name(rule.to_owned()).spawn(move || {
        check(store.as_ref());
        // The caller may delete the files of the store as soon as the check has ended.
        drop(store);
        let _ = done.send(());
    });
    let thread = thread.expect("a thread for the check");
    if is_done.recv_timeout(MAX_TIME) == Err(RecvTimeoutError::Timeout) {
        panic!("{rule}: the check did not end, the store may wait for itself");
    }
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// The maximum time of one check.
const MAX_TIME: Duration = Duration::from_secs(300);
