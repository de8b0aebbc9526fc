//! Who is in the middle of several reads in a row.
//!
//! A sitting has a number, and a connection remembers for which one its transaction is open. Whoever takes
//! hold of a connection asks for their number only then, and first ends what is not of it; whoever leaves ends
//! what nobody sits for any more, on the connections that nobody holds. So no transaction outlives the
//! sittings, however the threads meet.

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
    /// What the owner has read through last.
    through: Option<Through>,
}

/// Which of the two connections something is read through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// The one that only reads.
    Reader,
    /// The one that writes.
    Writer,
}

impl Seat {
    /// Begins a sitting of this thread.
    pub(super) fn take(&self) {
        let me = thread::current().id();
        let mut state = self.state();
        if state.owner == Some(me) {
            state.depth += 1;
        } else {
            let number = state.number + 1;
            *state = State { owner: Some(me), depth: 1, number, through: None };
            self.is_taken.store(true, Ordering::Relaxed);
        }
    }

    /// Ends a sitting of this thread; tells whether it is in none any more.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.state();
        if state.owner != Some(thread::current().id()) {
            // It was taken over, and may have begun something before that.
            return true;
        }
        state.depth -= 1;
        if state.depth > 0 {
            return false;
        }
        state.owner = None;
        self.is_taken.store(false, Ordering::Relaxed);
        true
    }

    /// The number of the sitting that this thread is in. It is asked for by whoever holds the connection.
    pub(super) fn number(&self, through: Through) -> Option<u64> {
        // Whoever sits here has stored this itself.
        if !self.is_taken.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.state();
        if state.owner? != thread::current().id() {
            return None;
        }
        // What it has begun on one connection may be older than what it has read through the other.
        if state.through.replace(through).is_some_and(|before| before != through) {
            state.number += 1;
        }
        Some(state.number)
    }

    /// The number of the sitting that there is, whoever is in it.
    pub(super) fn standing(&self) -> Option<u64> {
        let state = self.state();
        state.owner.is_some().then_some(state.number)
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
        let number = || seat.number(Through::Reader);
        assert_eq!((number(), seat.standing()), (None, None));
        seat.take();
        seat.take();
        let first = number();
        assert!(first.is_some() && first == seat.standing());
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(number(), None, "somebody else sits there");
                seat.take();
                assert!(number().is_some_and(|number| Some(number) > first));
            });
        });
        assert_eq!(number(), None, "it was taken over");
        assert!(seat.leave() && seat.leave(), "so this thread is in none");
        assert!(seat.standing() > first, "and the other still is");
        seat.take();
        assert!(number() > first);
        let before = number();
        seat.renew();
        assert!(number() > before);
        seat.take();
        assert!(!seat.leave() && seat.leave(), "the outermost ends it");
        assert_eq!((number(), seat.standing()), (None, None));
    }

    #[test]
    fn who_goes_on_through_the_other_connection_begins_anew() {
        let seat = Seat::default();
        seat.take();
        let there_and_back = [Through::Reader, Through::Writer, Through::Writer, Through::Reader];
        let [one, two, same, three] = there_and_back.map(|through| seat.number(through));
        assert!(one < two && two == same && same < three);
    }
}
