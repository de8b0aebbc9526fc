//! The conformance suite that every store must pass.
//!
//! Every assertion names the rule that it checks, so a failure tells the author of a back end what
//! to fix.
//!
//! | function | stores |
//! |---|---|
//! | [`check`] | every store |
//! | [`check_durable`] | durable stores |
//! | [`check_shared`] | stores that several processes use |
//! | [`check_damage`] | stores whose bytes can be damaged |
//! | [`check_large`] | stores with more content than fits in memory |
//!
//! ```
//! use pds::store::{MemoryStore, conformance};
//!
//! conformance::check(&|| Box::new(MemoryStore::default()));
//! ```

mod blocks;
mod damage;
mod durable;
mod facts;
mod large;
mod log;
mod maintain;
mod queries;
mod race;
mod refs;
mod shared;
mod support;
mod sweep;
mod sweep_change;
mod sweep_log;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod views;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

pub use self::damage::check_damage;
pub use self::durable::check_durable;
pub use self::large::check_large;
pub use self::shared::check_shared;
use super::Store;

/// A check, and the rule that a store breaks if the check does not end.
type Check = (&'static str, fn(&dyn Store));

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
