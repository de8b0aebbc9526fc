//! An iterator that runs ahead on another core.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

use crate::model::jobs::Jobs;

/// Runs an iterator in another thread, if `jobs` allows one, and calls `work` with its items.
///
/// `size` returns the bytes of memory that an item takes. The iterator stops when `work` returns. If the system
/// cannot start a thread, everything runs in the thread of the caller.
pub(crate) fn ahead<T: Send, R>(
    jobs: Jobs,
    mut from: impl Iterator<Item = T> + Send,
    size: impl Fn(&T) -> usize + Send,
    work: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    if jobs == Jobs::ONE {
        return work(&mut from);
    }
    ahead_in(Builder::new(), from, size, work)
}

fn ahead_in<T: Send, R>(
    thread: Builder,
    mut from: impl Iterator<Item = T> + Send,
    size: impl Fn(&T) -> usize + Send,
    work: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    let items = &mut from;
    let ended = std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<Vec<T>>(QUEUE);
        match thread.spawn_scoped(scope, move || send_all(items, size, &send)) {
            Ok(_) => {
                Ok(work(&mut Received { receive, batch: Vec::new().into_iter(), is_over: false }))
            }
            Err(_) => Err(work),
        }
    });
    ended.unwrap_or_else(|work| work(&mut from))
}

/// Sends the items in batches until the iterator ends or the receiver is closed.
fn send_all<T>(
    items: impl Iterator<Item = T>,
    size: impl Fn(&T) -> usize,
    send: &SyncSender<Vec<T>>,
) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for item in items {
        bytes += size(&item);
        batch.push(item);
        if bytes >= BATCH_BYTES || batch.len() >= BATCH_ITEMS {
            if send.send(std::mem::take(&mut batch)).is_err() {
                return;
            }
            bytes = 0;
        }
    }
    // A closed receiver needs no more items.
    if batch.is_empty() || send.send(batch).is_ok() {
        let _ = send.send(Vec::new());
    }
}

/// The receiving end of the queue. An empty batch marks the end. If the queue closes without one, the other
/// thread has panicked, and the items so far are not complete.
struct Received<T> {
    receive: Receiver<Vec<T>>,
    batch: std::vec::IntoIter<T>,
    is_over: bool,
}

impl<T> Iterator for Received<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(item) = self.batch.next() {
                return Some(item);
            }
            if self.is_over {
                return None;
            }
            let batch = self.receive.recv().expect("the thread that runs ahead has not panicked");
            self.is_over = batch.is_empty();
            self.batch = batch.into_iter();
        }
    }
}

/// The greatest number of batches in the queue.
const QUEUE: usize = 4;

/// The size of a full batch in bytes and in items; the first limit that is reached counts.
const BATCH_BYTES: usize = 128 * 1024;
const BATCH_ITEMS: usize = 512;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn where_there_is_no_thread_the_work_is_done_all_the_same() {
        // No system has so much memory for a stack.
        let refused = Builder::new().stack_size(usize::MAX / 4);
        let seen: Vec<usize> = ahead_in(refused, 0..10_000, |_| 1, |it| it.collect());
        assert!(seen.into_iter().eq(0..10_000));
    }

    const TWO: Jobs = Jobs::new(NonZeroUsize::MIN.saturating_add(1));

    #[test]
    fn order_and_answers_are_the_same_with_any_number_of_jobs() {
        for count in [0, 1, 511, 512, 513, 10_000] {
            for jobs in [Jobs::ONE, TWO] {
                let seen: Vec<usize> = ahead(jobs, 0..count, |n| n % 1_000, |it| it.collect());
                assert!(seen.into_iter().eq(0..count));
            }
        }
    }

    #[test]
    fn a_panic_ahead_is_no_end() {
        let reached_the_end = std::sync::atomic::AtomicBool::new(false);
        let panicking = (0..10_000).map(|n| if n == 5_000 { panic!("on purpose") } else { n });
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ahead(TWO, panicking, |_| 1, |it| it.for_each(drop));
            reached_the_end.store(true, std::sync::atomic::Ordering::Relaxed);
        }));
        assert!(ran.is_err() && !reached_the_end.into_inner());
    }

    #[test]
    fn it_ends_when_the_work_does() {
        let seen = ahead(TWO, 0.., |_| 1, |it| it.take(5_000).sum::<u64>());
        assert_eq!(seen, 4_999 * 5_000 / 2);
    }
}
