//! The loan of the terminal to a child process, such as a pager or an editor: interrupts and the screen belong to it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The terminal is lent until this is dropped.
pub(crate) struct Lent;

/// Lends the terminal: an interrupt does not end this process, and progress is not shown.
pub(crate) fn lend() -> Lent {
    LOANS.fetch_add(1, Ordering::AcqRel);
    Lent
}

/// Tells whether a child process has the terminal.
pub(crate) fn is_lent() -> bool {
    LOANS.load(Ordering::Acquire) > 0
}

impl Drop for Lent {
    fn drop(&mut self) {
        LOANS.fetch_sub(1, Ordering::AcqRel);
    }
}

static LOANS: AtomicUsize = AtomicUsize::new(0);
