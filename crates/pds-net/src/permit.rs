//! The number of parallel requests, to one host and in all.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::host::Host;

/// The places for requests.
#[derive(Debug)]
pub(crate) struct Places {
    taken: Mutex<HashMap<Host, usize>>,
    freed: Condvar,
    a_host: usize,
    in_all: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    places: Arc<Places>,
    host: Host,
}

impl Places {
    /// Makes places for so many requests, at least one.
    pub(crate) fn new(a_host: usize, in_all: usize) -> Self {
        Self {
            taken: Mutex::default(),
            freed: Condvar::new(),
            a_host: a_host.max(1),
            in_all: in_all.max(1),
        }
    }

    /// Waits for a place. A thread that waits must not hold a place of its own, or all may wait for each other.
    pub(crate) fn take(self: &Arc<Self>, host: &Host) -> Permit {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.has_room(&taken, host) {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken.entry(host.clone()).or_default() += 1;
        Permit { places: Arc::clone(self), host: host.clone() }
    }

    fn has_room(&self, taken: &HashMap<Host, usize>, host: &Host) -> bool {
        let here = taken.get(host).copied().unwrap_or_default();
        here < self.a_host && taken.values().sum::<usize>() < self.in_all
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = taken.get_mut(&self.host) {
            *here -= 1;
            if *here == 0 {
                taken.remove(&self.host);
            }
        }
        drop(taken);
        self.places.freed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn places_are_bounded_by_host_and_in_all() {
        let hosts: Vec<Host> =
            ["https://a.com", "https://b.com"].map(|host| host.parse().unwrap()).to_vec();
        let places = Arc::new(Places::new(2, 3));
        let now = [AtomicUsize::new(0), AtomicUsize::new(0)];
        let most = AtomicUsize::new(0);
        thread::scope(|scope| {
            for worker in 0..12 {
                let (places, hosts, now, most) = (&places, &hosts, &now, &most);
                scope.spawn(move || {
                    for turn in 0..50 {
                        let at = (worker + turn) % 2;
                        let _permit = places.take(&hosts[at]);
                        let here = now[at].fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(here <= 2, "{here} at one host");
                        let all = now.iter().map(|now| now.load(Ordering::SeqCst)).sum();
                        most.fetch_max(all, Ordering::SeqCst);
                        thread::yield_now();
                        now[at].fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 3);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
