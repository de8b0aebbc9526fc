//! Reading with several threads at the same time.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use anyhow::Result;

/// Gives each reader a thread of its own and an equal part of the keys; returns the sum of the results.
pub(crate) fn read<K: Sync, R: Send>(
    keys: &[K],
    readers: Vec<R>,
    read_part: impl Fn(R, &[K]) -> Result<usize> + Sync,
) -> Result<usize> {
    let parts = keys.chunks(keys.len().div_ceil(readers.len()));
    let read_part = &read_part;
    thread::scope(|scope| {
        let start = |(reader, part)| scope.spawn(move || read_part(reader, part));
        // Every thread starts before the first one is joined.
        let threads: Vec<_> = readers.into_iter().zip(parts).map(start).collect();
        let join = |thread: ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        };
        threads.into_iter().map(join).sum()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_read_once() {
        let keys: Vec<usize> = (1..=10).collect();
        for threads in [1, 2, 8] {
            let sum = read(&keys, vec![(); threads], |(), part| Ok(part.iter().sum()));
            assert_eq!(sum.unwrap(), 55, "{threads} threads");
        }
    }
}
