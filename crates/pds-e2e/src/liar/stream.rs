//! What a proxy sends on a WebSocket.

use std::fmt;
use std::sync::Arc;

use pds_core::data::value::Value;

/// Returns what the proxy sends instead of a message, which has a number from 0 in its connection.
pub type Rewrite = Arc<dyn Fn(u64, Vec<u8>) -> Vec<Sent> + Send + Sync>;

/// What a proxy sends on a WebSocket.
#[derive(Clone, PartialEq, Eq)]
pub enum Sent {
    /// A message in one frame.
    Message(Vec<u8>),
    /// A message in several frames.
    Fragments(Vec<Vec<u8>>),
    /// The end of the connection.
    Cut,
    /// Nothing more: the client leaves first, and gets no answer to its pings.
    Stall,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Self::Fragments(parts) => write!(f, "Fragments({} parts)", parts.len()),
            Self::Cut => f.write_str("Cut"),
            Self::Stall => f.write_str("Stall"),
        }
    }
}

/// Sends the messages as they are.
pub(crate) fn honest() -> Rewrite {
    Arc::new(|_, message| vec![Sent::Message(message)])
}

/// Returns a frame of an event stream with another sequence number.
///
/// # Panics
///
/// If the bytes are not a frame.
pub fn with_seq(frame: &[u8], seq: i64) -> Vec<u8> {
    let (_, rest) = Value::decode_first(frame).unwrap();
    let header = &frame[..frame.len() - rest.len()];
    let (body, _) = Value::decode_first(rest).unwrap();
    let mut fields = body.as_map().unwrap().clone();
    fields.insert("seq", seq);
    [header, &Value::Map(fields).encode()].concat()
}
