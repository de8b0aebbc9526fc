//! The options of the client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::host::Host;
use crate::limits;
use crate::private_addresses::PrivateAddresses;

/// The options of a [`Net`](crate::net::Net).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NetOptions {
    /// The directory of did:plc.
    pub plc: Host,
    /// The server that resolves handles, instead of DNS and the hosts of the handles.
    pub resolver: Option<Host>,
    /// The DNS servers, if they are not those of the system.
    pub dns_servers: Option<Vec<SocketAddr>>,
    /// The private addresses that may be dialled.
    pub private_addresses: PrivateAddresses,
    /// The proxy for https.
    pub proxy: ProxyOptions,
    /// The file of the certificates that are trusted, if it is not that of the environment.
    pub certificates: Option<PathBuf>,
    /// The parallel requests to one host.
    pub jobs: usize,
    /// The size of a CAR file after decompression.
    pub max_repo_bytes: u64,
    /// The size of a blob, whatever size its record names.
    pub max_blob_bytes: u64,
    /// The longest wait that a host may ask for.
    pub max_wait: Duration,
    /// The time limits of a host.
    pub patience: Patience,
    /// The clock by which the client waits.
    pub clock: Arc<dyn Clock>,
}

/// The proxy for https.
#[derive(Debug, Clone, Default)]
pub enum ProxyOptions {
    /// The one in the environment variables `HTTPS_PROXY` and `NO_PROXY`, if there is one.
    #[default]
    Environment,
    /// No proxy.
    Direct,
    /// This proxy.
    Proxy {
        /// Its URL, `http://` or `https://`.
        url: String,
        /// The hosts that are asked directly, with commas.
        except: String,
    },
}

/// The time limits of a host. Tests make them short.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The time to connect.
    pub connect: Duration,
    /// The time from the request to the headers of the answer.
    pub first_byte: Duration,
    /// The time between two parts of a body.
    pub between_bytes: Duration,
    /// The time over which the speed of a body is measured.
    pub pace_window: Duration,
    /// The slowest body, in bytes a second.
    pub slowest_bytes_a_second: u64,
    /// The time without a message after which a WebSocket is asked for a pong.
    pub ping_after: Duration,
    /// The time without a message or pong after which a WebSocket ends.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: limits::CONNECT_TIMEOUT,
            first_byte: limits::FIRST_BYTE_TIMEOUT,
            between_bytes: limits::BETWEEN_BYTES_TIMEOUT,
            pace_window: limits::PACE_WINDOW,
            slowest_bytes_a_second: limits::SLOWEST_BYTES_A_SECOND,
            ping_after: limits::PING_AFTER,
            silence: limits::SILENCE_TIMEOUT,
        }
    }
}

impl Default for NetOptions {
    fn default() -> Self {
        Self {
            plc: Host::https("plc.directory").expect("the name of a host"),
            resolver: None,
            dns_servers: None,
            private_addresses: PrivateAddresses::Refuse,
            proxy: ProxyOptions::Environment,
            certificates: None,
            jobs: limits::REQUESTS_A_HOST,
            max_repo_bytes: limits::MAX_REPO_BYTES,
            max_blob_bytes: limits::MAX_BLOB_BYTES,
            max_wait: limits::MAX_WAIT,
            patience: Patience::default(),
            clock: Arc::new(SystemClock),
        }
    }
}
