//! What arrives for a group of mirrors.

use pds_core::sync::event::Event;
use pds_core::syntax::did::Did;

use crate::mirror::follow::followed::EventRefused;

/// Something that arrived.
pub(super) enum Arrival {
    /// The stream is open. Without a cursor, events may have been missed before.
    Opened {
        /// Whether events may have been missed.
        has_gap: bool,
    },
    /// Events were missed, or the server could not be reached.
    Gap,
    /// An event.
    Event(Event),
    /// An event that is not taken. Without an account, it may have been one of any.
    Refused(Option<Did>, EventRefused),
    /// An account has changed in some way.
    Changed(Did),
    /// Nothing for a second.
    Nothing,
}
