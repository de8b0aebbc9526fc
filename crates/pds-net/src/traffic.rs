//! Counts of requests and bytes.

use std::sync::Arc;
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
    /// The counts that include these.
    whole: Option<Arc<Self>>,
}

impl Counters {
    /// Returns counts that begin at zero. What they count is counted in the whole, too.
    pub(crate) fn part_of(whole: &Arc<Self>) -> Self {
        Self { whole: Some(Arc::clone(whole)), ..Self::default() }
    }

    /// Counts a request.
    pub(crate) fn requested(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.requested();
        }
    }

    /// Counts bytes of a body.
    pub(crate) fn received(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.received(bytes);
        }
    }

    /// Returns the counts.
    pub(crate) fn traffic(&self) -> Traffic {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { requests: load(&self.requests), bytes_received: load(&self.bytes) }
    }
}
