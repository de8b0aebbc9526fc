//! Every bound of the client, with its reason.

use std::time::Duration;

/// The time to connect to a host.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
