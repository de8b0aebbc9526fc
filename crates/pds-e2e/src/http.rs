//! Plain requests, without the client that is under test.

use std::io::{self, Read};
use std::time::Duration;

use serde_json::Value as Json;

/// The bytes of a body that are read.
pub const MOST: u64 = 8 << 20;

/// What came as an answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The bytes before the end of the body or before the error.
    pub body: Vec<u8>,
    /// The error that ended the body, if it did not end well.
    pub error: Option<io::Error>,
}

impl Answer {
    /// Returns the body, which must be complete and JSON.
    pub fn json(&self) -> Json {
        assert!(self.error.is_none(), "{:?}", self.error);
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Gets an address. At most [`MOST`] bytes of the body are read.
///
/// # Panics
/// If no answer comes.
pub fn get(url: &str) -> Answer {
    try_get(url, Duration::from_secs(60)).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Gets an address, as [`get`] does. Its head and its body may each take some time.
///
/// # Errors
/// If no answer comes.
pub fn try_get(url: &str, patience: Duration) -> Result<Answer, ureq::Error> {
    let agent = agent(Some(patience));
    let answer = agent.get(url).call()?;
    let (head, body) = answer.into_parts();
    let headers = head.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut bytes = Vec::new();
    let read = body.into_reader().take(MOST).read_to_end(&mut bytes);
    let (status, headers) = (head.status.as_u16(), headers.collect());
    Ok(Answer { status, headers, body: bytes, error: read.err() })
}

/// Returns a client that follows no redirect and takes every status.
pub(crate) fn agent(patience: Option<Duration>) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_recv_response(patience)
        .timeout_recv_body(patience)
        .build();
    config.new_agent()
}
