//! What a following tells its caller.

use std::path::PathBuf;
use std::sync::Arc;

use pds_core::sync::error::EventFault;

use crate::error::Error;
use crate::mirror::handle::Mirror;
use crate::mirror::pull::Pulled;

/// A function that gets each step of a following; several threads may call it.
pub type OnFollowed<'a> = &'a (dyn Fn(&Mirror, Followed) + Sync);

/// A step of the following of one mirror. Its effects are stored.
#[derive(Debug)]
#[non_exhaustive]
pub enum Followed {
    /// The commit of an event was stored.
    Event(Box<Pulled>),
    /// The mirror was pulled. There may be nothing new.
    Pulled(Box<Pulled>),
    /// The first event with this fault. The mirror is pulled instead.
    Fault(Arc<EventRefused>),
    /// A pull failed. It is tried again later.
    Failed(Error),
}

/// Mirrors that are not followed any more.
#[derive(Debug)]
pub struct Unfollowed {
    /// Their directories.
    pub dirs: Vec<PathBuf>,
    /// The reason.
    pub error: Error,
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventRefused {
    /// The frame is not an event.
    #[error("an event of the stream is not readable: {0}")]
    Unreadable(String),
    /// The sequence number does not grow, or is too large.
    #[error("event {seq} came after event {last}, and numbers have to grow")]
    Sequence {
        /// The sequence number.
        seq: u64,
        /// The one before it.
        last: u64,
    },
    /// The event does not belong together, or is over a limit.
    #[error("event {seq} is not valid: {fault}")]
    Invalid {
        /// The sequence number.
        seq: u64,
        /// The fault.
        fault: EventFault,
    },
    /// The commit of the event was refused.
    #[error("the commit of event {seq} was not taken: {error}")]
    Commit {
        /// The sequence number.
        seq: u64,
        /// The reason.
        error: Box<Error>,
    },
}

impl EventRefused {
    /// Returns the name of the fault in `--json`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "event-unreadable",
            Self::Sequence { .. } => "sequence",
            Self::Invalid { fault, .. } => match fault {
                EventFault::OverLimit(_) => "event-over-limit",
                EventFault::Signature(_) => "event-signature",
                EventFault::Operation { .. } => "event-operation",
                EventFault::NotInverted { .. } | EventFault::Tree(_) => "event-not-inverted",
                EventFault::NoPrevData => "event-no-prev-data",
                _ => "event-invalid",
            },
            Self::Commit { error, .. } => match &**error {
                Error::Refused(refusal) => refusal.code(),
                _ => "event-not-taken",
            },
        }
    }
}
