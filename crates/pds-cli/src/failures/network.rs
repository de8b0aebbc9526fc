//! The meaning of errors of the network: an exit code, a name, and a hint.

use pds_net::error::Error;

use super::exit::{Exit, Meaning};

/// Returns the meaning of an error, or `None` if its cause says more.
pub(super) fn of_network(error: &Error) -> Option<Meaning> {
    let remote = |name, hint| Some((Exit::Remote, name, hint));
    match error {
        Error::Repo(_) | Error::Io(_) => None,
        Error::Refused(refusal) => Some((Exit::No, refusal.code(), None)),
        Error::Url(_) | Error::Setting { .. } => Some((Exit::Usage, "usage", None)),
        Error::File { .. } => Some((Exit::BadInput, "bad-file", Some(START_AGAIN))),
        Error::Source { .. } => Some((Exit::BadInput, "bad-source", None)),
        Error::Busy => Some((Exit::Busy, "busy", Some(WAIT))),
        Error::Stopped => Some((Exit::No, "stopped", None)),
        Error::Address { .. } => remote("address-refused", None),
        Error::Resolve { .. } => remote("not-resolved", None),
        Error::Inactive { .. } => remote("inactive", None),
        Error::Tombstone { .. } => remote("tombstone", None),
        Error::RateLimited { .. } => remote("rate-limited", None),
        Error::Bound { what: "the repository", .. } => remote("over-limit", Some(RAISE)),
        Error::Bound { .. } => remote("over-limit", None),
        Error::NotAtproto { .. } => remote("not-atproto", None),
        _ => remote("remote-failed", None),
    }
}

const START_AGAIN: &str =
    "it is a hint only: move it away, and clone the account into a new directory";

const WAIT: &str = "try again when it has ended; pds pull --wait waits for it";

const RAISE: &str = "--max-repo permits larger repositories";
