//! What an operation tells its caller while it runs.

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use pds_core::syntax::did::Did;

use crate::host::Host;

/// A function that learns of the progress. `Break` stops the operation cleanly.
pub type Report<'a> = &'a (dyn Fn(Progress) -> ControlFlow<()> + Send + Sync);

/// A step of an operation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Progress {
    /// The account was found.
    Resolved {
        /// The account.
        did: Did,
        /// Its host.
        host: Host,
    },
    /// Bytes of the repository arrived.
    Repo {
        /// The bytes so far.
        bytes: u64,
        /// The size, if the host named it.
        total: Option<u64>,
    },
    /// Records are verified.
    Verifying {
        /// The records so far.
        records: u64,
    },
    /// Blobs are fetched.
    Blob {
        /// The blobs so far.
        done: u64,
        /// The number of blobs.
        of: u64,
        /// The bytes so far.
        bytes: u64,
    },
    /// Mirrors are followed. This comes about once a second, and with each event.
    Following {
        /// The server of the events; `None` without one, and before the connection is open.
        server: Option<Host>,
    },
    /// The next request waits.
    Waiting {
        /// The host.
        host: Host,
        /// The end of the wait.
        until: SystemTime,
        /// The reason.
        why: Why,
    },
    /// A request failed and is sent again.
    Retrying {
        /// The host.
        host: Host,
        /// The number of the next try, from 2.
        try_number: u32,
        /// The pause before it.
        after: Duration,
        /// The error, as text.
        error: String,
    },
}

/// The reason of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The host said when to come back.
    RateLimited,
    /// Few requests remain, and they are spread over the time to the next ones.
    Spreading,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RateLimited => "the host limits requests",
            Self::Spreading => "few requests remain",
        })
    }
}
