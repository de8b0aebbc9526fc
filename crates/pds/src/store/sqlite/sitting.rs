//! Who is in the middle of several reads in a row.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// The sitting of a store, if there is one. A second thread that sits down takes it over: the reads of the
/// first one are single ones then, which are as good.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Without this every single read would ask which thread it is in.
    is_taken: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    owner: Option<ThreadId>,
    /// How many sittings of the owner are within each other.
    depth: usize,
    /// Grows with every sitting, and with what makes an earlier moment useless.
    number: u64,
}

impl Seat {
    /// Begins a sitting of this thread.
    pub(super) fn take(&self) {
        let me = thread::current().id();
        let mut state = self.state();
        if state.owner == Some(me) {
            state.depth += 1;
        } else {
            *state = State { owner: Some(me), depth: 1, number: state.number + 1 };
            self.is_taken.store(true, Ordering::Relaxed);
        }
    }

    /// Ends a sitting of this thread; tells whether what was read in it can be let go.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.state();
        if state.owner != Some(thread::current().id()) {
            return false;
        }
        state.depth -= 1;
        if state.depth > 0 {
            return false;
        }
        state.owner = None;
        self.is_taken.store(false, Ordering::Relaxed);
        true
    }

    /// The number of the sitting that this thread is in.
    pub(super) fn number(&self) -> Option<u64> {
        // Whoever sits here has stored this itself.
        if !self.is_taken.load(Ordering::Relaxed) {
            return None;
        }
        let state = self.state();
        (state.owner? == thread::current().id()).then_some(state.number)
    }

    /// Takes note that what has been read so far may be out of date.
    pub(super) fn renew(&self) {
        self.state().number += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sitting_belongs_to_the_thread_that_took_it_last() {
        let seat = Seat::default();
        assert_eq!(seat.number(), None);
        seat.take();
        seat.take();
        let first = seat.number();
        assert!(first.is_some());
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(seat.number(), None, "somebody else sits there");
                seat.take();
                assert!(seat.number().is_some_and(|number| Some(number) > first));
            });
        });
        assert_eq!(seat.number(), None, "it was taken over");
        assert!(!seat.leave() && !seat.leave(), "so there is nothing to be let go");
        seat.take();
        assert!(seat.number() > first);
        let before = seat.number();
        seat.renew();
        assert!(seat.number() > before);
        seat.take();
        assert!(!seat.leave() && seat.leave(), "the outermost ends it");
        assert_eq!(seat.number(), None);
    }
}
