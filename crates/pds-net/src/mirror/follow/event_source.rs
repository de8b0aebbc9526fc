//! Where a following learns that an account has changed.

use std::time::Duration;

use crate::host::Host;

/// Where a following learns that an account has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventSource {
    /// The event stream of the account's own host.
    Host,
    /// The event stream of a relay, which has the events of many hosts.
    Relay(Host),
    /// The events of a Jetstream server. They have no signatures, so each one only causes a pull.
    Jetstream(Host),
    /// No events: a pull after each of these times.
    Every(Duration),
}
