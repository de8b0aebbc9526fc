//! Counts of requests and bytes.

use std::sync::atomic::{AtomicU64, Ordering};

/// The requests that were sent, and the bytes of bodies as they came from the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// The requests, redirects and repeated ones included.
    pub requests: u64,
    /// The bytes of bodies before decompression.
    pub bytes_received: u64,
}

/// The counts of a running client.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    /// Counts a request.
    pub(crate) fn requested(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes of a body.
    pub(crate) fn received(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the counts.
    pub(crate) fn traffic(&self) -> Traffic {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { requests: load(&self.requests), bytes_received: load(&self.bytes) }
    }
}
