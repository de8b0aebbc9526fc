//! Which request gets which lie.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use crate::liar::stream::Rewrite;

/// A lie, and the requests that get it: those whose path and query contain a text, by their number among these.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) path: String,
    pub(crate) numbers: Range<u64>,
    pub(crate) lie: Lie,
}

impl Rule {
    /// Applies a lie to every request whose path and query contain a text.
    pub fn every(path: &str, lie: Lie) -> Self {
        Self { path: path.to_owned(), numbers: 0..u64::MAX, lie }
    }

    /// Applies a lie to the first requests whose path and query contain a text.
    pub fn first(count: u64, path: &str, lie: Lie) -> Self {
        Self { path: path.to_owned(), numbers: 0..count, lie }
    }

    /// Applies a lie to one request whose path and query contain a text, counted from 0.
    pub fn nth(number: u64, path: &str, lie: Lie) -> Self {
        Self { path: path.to_owned(), numbers: number..number + 1, lie }
    }
}

/// Changes the body of an answer.
pub type Change = Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;

/// Makes an answer to a path with a query.
pub type Respond = Arc<dyn Fn(&str) -> Canned + Send + Sync>;

/// What a proxy does with the answer of a host.
#[derive(Clone)]
pub enum Lie {
    /// Ends the body after some bytes as if that were all.
    EndAfter(u64),
    /// Closes the connection after some bytes of the body.
    CutAfter(u64),
    /// Sends nothing more after some bytes of the body, and waits for the client to leave.
    StallAfter(u64),
    /// Inverts the lowest bit of one byte of the body.
    FlipBit(u64),
    /// Sends another body.
    Change(Change),
    /// Sends the body in pieces, with a pause after each.
    Slowly {
        /// Bytes of a piece.
        bytes: usize,
        /// The pause.
        pause: Duration,
    },
    /// Sends the beginning of the body and then other bytes, again and again.
    Endless(Padding),
    /// Sends the same, in layers of gzip that the headers name.
    GzipBomb {
        /// The number of layers.
        layers: usize,
        /// The bytes below the layers.
        padding: Padding,
    },
    /// Sends headers without end.
    EndlessHeaders,
    /// Answers without asking the host.
    Answer(Canned),
    /// Answers without asking the host, depending on path and query.
    Respond(Respond),
    /// Sends other messages on a WebSocket.
    Stream(Rewrite),
}

/// Bytes that follow the beginning of a body, again and again.
#[derive(Clone, Debug)]
pub struct Padding {
    /// The bytes of the body before them.
    pub after: u64,
    /// The bytes, which must not be empty.
    pub bytes: Arc<[u8]>,
}

/// An answer that does not come from the host.
#[derive(Clone, Debug)]
pub struct Canned {
    /// The HTTP status.
    pub status: u16,
    /// Headers. The type of the content should be one.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Lie {
    /// Sends a body that a function makes of the true one.
    pub fn change(change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::Change(Arc::new(change))
    }

    /// Sends a JSON body that a function has changed.
    pub fn change_json(change: impl Fn(&mut Json) + Send + Sync + 'static) -> Self {
        Self::change(move |body| {
            let mut json = serde_json::from_slice(&body).unwrap();
            change(&mut json);
            json.to_string().into_bytes()
        })
    }

    /// Answers with a status and the JSON of an error, as hosts do.
    pub fn error(status: u16, name: &str) -> Self {
        let body = serde_json::json!({ "error": name, "message": "a lie" }).to_string();
        Self::answer(status, "application/json", &[], body)
    }

    /// Answers 429 with a header that says when to come back.
    pub fn rate_limited(retry_after: &str) -> Self {
        let headers = [("retry-after", retry_after)];
        Self::answer(429, "application/json", &headers, r#"{"error":"RateLimitExceeded"}"#)
    }

    /// Answers 302 with an address.
    pub fn redirect(to: &str) -> Self {
        Self::answer(302, "text/plain", &[("location", to)], "")
    }

    /// Answers with a status, a type of content, headers and a body.
    pub fn answer(
        status: u16,
        kind: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let headers = [&[("content-type", kind)], headers].concat();
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::Answer(Canned { status, headers: headers.collect(), body: body.into() })
    }
}

impl fmt::Debug for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndAfter(bytes) => write!(f, "EndAfter({bytes})"),
            Self::CutAfter(bytes) => write!(f, "CutAfter({bytes})"),
            Self::StallAfter(bytes) => write!(f, "StallAfter({bytes})"),
            Self::FlipBit(at) => write!(f, "FlipBit({at})"),
            Self::Change(_) => f.write_str("Change"),
            Self::Slowly { bytes, pause } => write!(f, "Slowly({bytes}, {pause:?})"),
            Self::Endless(_) => f.write_str("Endless"),
            Self::GzipBomb { layers, .. } => write!(f, "GzipBomb({layers})"),
            Self::EndlessHeaders => f.write_str("EndlessHeaders"),
            Self::Respond(_) => f.write_str("Respond"),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Answer(canned) => write!(f, "Answer({})", canned.status),
        }
    }
}
