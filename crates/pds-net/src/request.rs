//! One request: method, host, path, parameters, headers, and the bounds of its answer.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::host::Host;
use crate::limits;

/// The characters of a parameter that need no escape.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the headers only.
    Head,
    /// May change something, so it is not sent again after a failure.
    Post,
}

/// The form that an answer has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// A CAR file.
    Car,
    /// Text, but no HTML page.
    Text,
    /// Any bytes.
    Any,
}

/// The bounds of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The name of the answer in errors.
    pub what: &'static str,
    /// The form of the answer.
    pub form: Form,
    /// The size of the body after decompression.
    pub max_bytes: u64,
    /// The redirects that are followed.
    pub redirects: u32,
    /// The time to the headers of the answer, if it is not that of the options.
    pub first_byte: Option<Duration>,
}

impl Bounds {
    /// The bounds of an answer in JSON.
    pub const JSON: Self = Self {
        what: "the answer",
        form: Form::Json,
        max_bytes: limits::MAX_JSON_BYTES,
        redirects: limits::MAX_REDIRECTS,
        first_byte: None,
    };

    /// Returns the bounds of a CAR file.
    #[must_use]
    pub fn car(max_bytes: u64) -> Self {
        Self { what: "the CAR file", form: Form::Car, max_bytes, ..Self::JSON }
    }

    /// Returns the bounds of a blob.
    #[must_use]
    pub fn blob(max_bytes: u64) -> Self {
        Self { what: "the blob", form: Form::Any, max_bytes, ..Self::JSON }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) host: &'a Host,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<(&'static str, &'a [u8])>,
    pub(crate) bounds: Bounds,
    pub(crate) is_once: bool,
}

impl<'a> Request<'a> {
    /// Returns a GET request. The path begins with a slash and is used as it is.
    #[must_use]
    pub fn get(host: &'a Host, path: &str, bounds: Bounds) -> Self {
        Self {
            method: Method::Get,
            host,
            target: path.to_owned(),
            headers: Vec::new(),
            body: None,
            bounds,
            is_once: false,
        }
    }

    /// Returns a GET request that calls a method of XRPC.
    #[must_use]
    pub fn query(host: &'a Host, nsid: &str, bounds: Bounds) -> Self {
        Self::get(host, &format!("/xrpc/{nsid}"), bounds)
    }

    /// Returns a POST request that calls a method of XRPC with a body.
    #[must_use]
    pub fn procedure(
        host: &'a Host,
        nsid: &str,
        content_type: &'static str,
        body: &'a [u8],
        bounds: Bounds,
    ) -> Self {
        let request = Self::query(host, nsid, bounds);
        Self { method: Method::Post, body: Some((content_type, body)), ..request }
    }

    /// Asks for the headers only.
    #[must_use]
    pub fn head(self) -> Self {
        Self { method: Method::Head, ..self }
    }

    /// Sends the request once, even if the failure may pass.
    #[must_use]
    pub fn once(self) -> Self {
        Self { is_once: true, ..self }
    }

    /// Adds a parameter. Its value is escaped.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        let mark = if self.target.contains('?') { '&' } else { '?' };
        self.target += &format!("{mark}{name}={}", utf8_percent_encode(value, ESCAPED));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.host, self.target)
    }

    /// Returns whether the request has a credential. Such a request never follows a redirect.
    pub(crate) fn has_credential(&self) -> bool {
        self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped() {
        let host: Host = "https://a.com".parse().unwrap();
        let request = Request::query(&host, "com.atproto.sync.getRepo", Bounds::JSON)
            .parameter("did", "did:web:a.com%3A80")
            .parameter("since", "a&b=c d/é#\r\n");
        assert_eq!(
            request.url(),
            "https://a.com/xrpc/com.atproto.sync.getRepo?did=did:web:a.com%253A80\
             &since=a%26b%3Dc%20d%2F%C3%A9%23%0D%0A"
        );
    }
}
