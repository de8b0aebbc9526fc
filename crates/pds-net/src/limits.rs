//! Every bound of the client, with its reason.

use std::time::Duration;

/// The time to connect to a host, with the TLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time to resolve the name of a host.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time from the request to the headers of the answer. A host may have to collect a repository first.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time between two parts of a body.
pub const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(30);

/// The time to the answer of importRepo, which stores the whole repository before it answers.
pub const IMPORT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The time for which an idle connection is kept. Servers close them, often after 5 s, and a request that meets that
/// moment is lost.
pub const MAX_IDLE: Duration = Duration::from_secs(4);

/// The slowest body, in bytes a second. A byte every second would never meet the timeout between bytes.
pub const SLOWEST_BYTES_A_SECOND: u64 = 1024;

/// The time over which the speed of a body is measured. Shorter pauses are normal.
pub const PACE_WINDOW: Duration = Duration::from_secs(60);

/// The headers of an answer. Real hosts send less than 4 KiB.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The answer of `/.well-known/atproto-did`, which is one DID.
pub const MAX_WELL_KNOWN_BYTES: u64 = 2 * 1024;

/// A DID document. Real ones have one or two thousand bytes.
pub const MAX_DID_DOCUMENT_BYTES: u64 = 256 * 1024;

/// The operation log of a did:plc: about two thousand operations.
pub const MAX_PLC_LOG_BYTES: u64 = 2 << 20;

/// The time of one try to ask DNS, and the number of tries.
pub const DNS_TIMEOUT: Duration = Duration::from_secs(5);

/// The tries to ask DNS.
pub const DNS_TRIES: u32 = 2;

/// The TXT records of a name that are read. A handle has one.
pub const MAX_TXT_RECORDS: usize = 16;

/// The time that the web server of a handle has after DNS answered. It can only contradict DNS.
pub const SECOND_OPINION_TIMEOUT: Duration = Duration::from_secs(3);

/// An answer in JSON. The largest real ones are pages of a thousand entries.
pub const MAX_JSON_BYTES: u64 = 5_000_000;

/// A CAR file after decompression. The largest known accounts have less than 2 GiB.
pub const MAX_REPO_BYTES: u64 = 8 << 30;

/// A blob, whatever size its record names.
pub const MAX_BLOB_BYTES: u64 = 1 << 30;

/// The body of an error, as far as it is read.
pub const MAX_ERROR_BODY_BYTES: u64 = 64 * 1024;

/// The name and the message of an error, as far as they are kept.
pub const MAX_ERROR_BYTES: usize = 2 * 1024;

/// The cursor of a page. A longer one would not fit into the line of a request.
pub const MAX_CURSOR_BYTES: usize = 2 * 1024;

/// The redirects of one request. Real hosts use one, to another name of themselves.
pub const MAX_REDIRECTS: u32 = 3;

/// The CIDs in one getBlocks request. Proxies accept lines of 8 KiB, and a CID takes 64 bytes.
pub const MAX_CIDS_A_REQUEST: usize = 100;

/// The requests to one host at the same time.
pub const REQUESTS_A_HOST: usize = 8;

/// The requests to all hosts at the same time.
pub const REQUESTS_IN_ALL: usize = 32;

/// The tries of a request whose failure may pass.
pub const TRIES: u32 = 5;

/// The blobs in a row that a host may fail to send, each after all tries. The rest of the blobs is not asked for then.
pub const FAILED_BLOBS: u32 = 20;

/// The pause before the second try. Each further one is twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause before a try.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// If fewer requests remain, they are spread over the time to the next ones.
pub const FEW_REQUESTS: u64 = 16;

/// The longest wait that a host may ask for. A longer one ends the command with the time to come back.
pub const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// A message of a WebSocket, with all its fragments. The specification bounds the messages of event streams so.
pub const MAX_MESSAGE_BYTES: usize = pds_core::data::limits::MAX_MESSAGE_BYTES;

/// The time in which one ping of a WebSocket is answered. More pings in it get one answer together.
pub const PONG_PAUSE: Duration = Duration::from_secs(1);

/// The time without a message after which a WebSocket is asked for a pong. Proxies close connections that are idle for
/// a minute.
pub const PING_AFTER: Duration = Duration::from_secs(30);

/// The time without a message or pong after which a WebSocket ends. A host that is alive answers a ping.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The time for which a call waits for a message of a WebSocket. Then the caller may stop.
pub const MESSAGE_WAIT: Duration = Duration::from_secs(1);
