//! The errors of the client.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pds::error::Error as RepoError;
use pds_core::syntax::did::Did;

use crate::error_text::{amount, host_answer, short, time};
use crate::escape::Escaped;
use crate::host::{Host, UrlError};
use crate::private_addresses::AddressFault;
use crate::refusal::Refusal;

/// The result of an operation of the client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why an operation of the client failed.
///
/// Three questions cover most callers: [`is_refusal`](Self::is_refusal), [`is_remote`](Self::is_remote) and
/// [`is_retryable`](Self::is_retryable).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text is not the URL of a host.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A handle or DID could not be resolved.
    #[error("{} was not resolved: {}", Escaped(.name), Escaped(.reason))]
    Resolve {
        /// The handle or DID.
        name: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// A host or address may not be dialled.
    #[error("{} was not contacted: {fault}", Escaped(.host))]
    Address {
        /// The host, or the host and the address that it resolved to.
        host: String,
        /// The rule.
        fault: AddressFault,
    },
    /// No connection, or it broke before the answer.
    #[error("no answer from {host}: {}; try again later", Escaped(.reason))]
    Connect {
        /// The host.
        host: Host,
        /// The reason.
        reason: String,
    },
    /// The host has no certificate that is trusted, or does not speak TLS.
    #[error("{host} has no trusted connection: {}; check its URL, or set SSL_CERT_FILE", Escaped(.reason))]
    Untrusted {
        /// The host.
        host: Host,
        /// The reason.
        reason: String,
    },
    /// The host answered with an error.
    #[error("{}", host_answer(.url, *.status, .error.as_deref(), .message.as_deref()))]
    Http {
        /// The URL.
        url: String,
        /// The status of the answer.
        status: u16,
        /// The name of the error.
        error: Option<String>,
        /// The message, at most 2 KiB.
        message: Option<String>,
    },
    /// The server is not an atproto host, or not one for this call.
    #[error("{} answered with {}; check the URL of the host", short(.url), Escaped(.came))]
    NotAtproto {
        /// The URL.
        url: String,
        /// What the server answered.
        came: String,
    },
    /// The answer has another form than it should have.
    #[error("invalid answer from {}: {}", short(.url), Escaped(.reason))]
    Answer {
        /// The URL.
        url: String,
        /// The rule that the answer breaks.
        reason: String,
    },
    /// The answer is larger than its bound.
    #[error("{}: {what} has more than {}, the limit", short(.url), amount(*.limit))]
    Bound {
        /// The URL.
        url: String,
        /// The part of the answer.
        what: &'static str,
        /// The bound, in bytes.
        limit: u64,
    },
    /// The host stopped sending, or sends too slowly.
    #[error("{}: {what} within {} s; try again later", short(.url), .after.as_secs_f64())]
    Stalled {
        /// The URL.
        url: String,
        /// What did not arrive.
        what: &'static str,
        /// The time.
        after: Duration,
    },
    /// The body ended before its end.
    #[error("{}: the answer was cut at byte {bytes}; try again", short(.url))]
    Cut {
        /// The URL.
        url: String,
        /// The bytes that arrived.
        bytes: u64,
    },
    /// The host closed a WebSocket.
    #[error("{}: the host closed the connection: {}; connect again", Escaped(.url), Escaped(.reason))]
    Closed {
        /// The URL.
        url: String,
        /// The code and the text that the host gave.
        reason: String,
    },
    /// A redirect was not followed.
    #[error("{} redirects to {}, which was not followed: {reason}", short(.url), Escaped(.to))]
    Redirect {
        /// The URL.
        url: String,
        /// The target, cut to 256 bytes.
        to: String,
        /// The rule.
        reason: &'static str,
    },
    /// The host asks for a longer wait than `max_wait`.
    #[error("{host} limits requests until {}; try again then", time(*.until))]
    RateLimited {
        /// The host.
        host: Host,
        /// The end of the wait.
        until: SystemTime,
    },
    /// The answer contradicts what is stored, signed or published.
    #[error("refused: {0}")]
    Refused(Box<Refusal>),
    /// The account is not active on its host.
    #[error("{did} is {} on its host; the copy is unchanged", Escaped(.status))]
    Inactive {
        /// The account.
        did: Did,
        /// The state that the host names, such as `deactivated`.
        status: String,
    },
    /// The last operation of the account's log has ended the account.
    #[error("{did} was ended by the last operation of its log; pds identity log {did} lists it")]
    Tombstone {
        /// The account.
        did: Did,
    },
    /// A file next to the store cannot be used.
    #[error("{} cannot be used: {}", .path.display(), Escaped(.reason))]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A file of a data directory cannot be used.
    #[error("{} cannot be used: {}", .path.display(), Escaped(.reason))]
    Source {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Another process holds the directory.
    #[error("another process is fetching into this repository")]
    Busy,
    /// The caller stopped the operation.
    #[error("stopped; the same command continues")]
    Stopped,
    /// A setting of the environment or an option is invalid.
    #[error("{name}: {}", Escaped(.reason))]
    Setting {
        /// The name of the variable or option.
        name: &'static str,
        /// The reason, and what to do.
        reason: String,
    },
    /// The repository failed.
    #[error("{0}")]
    Repo(#[from] RepoError),
    /// A file failed.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl Error {
    /// Returns whether the same call may succeed later without a change on our side.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Stalled { .. }
            | Self::Cut { .. }
            | Self::Closed { .. }
            | Self::RateLimited { .. }
            | Self::Busy => true,
            Self::Http { status, .. } => is_retryable_status(*status),
            Self::Repo(error) => error.is_busy(),
            _ => false,
        }
    }

    /// Returns whether the answer arrived and contradicts what is stored, signed or published.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Returns whether the network failed, or the remote host refused.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. }
                | Self::Address { .. }
                | Self::Connect { .. }
                | Self::Untrusted { .. }
                | Self::Http { .. }
                | Self::NotAtproto { .. }
                | Self::Answer { .. }
                | Self::Bound { .. }
                | Self::Stalled { .. }
                | Self::Cut { .. }
                | Self::Closed { .. }
                | Self::Redirect { .. }
                | Self::RateLimited { .. }
                | Self::Inactive { .. }
                | Self::Tombstone { .. }
        )
    }

    /// Returns the name that the host gave to its error, such as `RepoNotFound`.
    #[must_use]
    pub fn host_error(&self) -> Option<&str> {
        match self {
            Self::Http { error, .. } => error.as_deref(),
            _ => None,
        }
    }

    /// Returns the status of the answer, if the host answered with an error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Http { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Returns the error as one of a reader. [`Error::from`] undoes it.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        match self {
            Self::Io(error) => error,
            error => io::Error::other(error),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<io::Error> for Error {
    /// An error that a reader of this crate gave is unwrapped.
    fn from(error: io::Error) -> Self {
        match error.downcast() {
            Ok(error) => error,
            Err(error) => Self::Io(error),
        }
    }
}

/// Returns whether a host that answers with a status may answer otherwise later.
pub(crate) fn is_retryable_status(status: u16) -> bool {
    // 501 and 505 say that the host lacks something. Proxies answer for a host that fails with 520 to 530.
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 520..=530)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_readers() {
        let error = Error::Cut { url: "https://a.com/x".to_owned(), bytes: 7 };
        assert!(matches!(Error::from(error.into_io()), Error::Cut { bytes: 7, .. }));
        let error = Error::from(io::Error::from(io::ErrorKind::NotFound));
        assert!(matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn text_of_hosts_is_escaped() {
        let error = Error::Http {
            url: "https://a.com/xrpc/x".to_owned(),
            status: 400,
            error: Some("Bad\u{1b}[2J".to_owned()),
            message: Some("a\n\u{202e}b".to_owned()),
        };
        let shown = error.to_string();
        assert_eq!(shown, "https://a.com/xrpc/x: Bad\\u{1b}[2J: a\\n\\u{202e}b (status 400)");
        assert!(!error.is_retryable() && error.is_remote() && !error.is_refusal());
    }
}
