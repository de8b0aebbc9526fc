//! The answer of a host.

use serde::Deserialize;
use ureq::http::HeaderMap;

use crate::body::Body;
use crate::error::{Error, Result};
use crate::escape::cut;
use crate::limits::{MAX_ERROR_BODY_BYTES, MAX_ERROR_BYTES};
use crate::request::Form;

/// The headers of an answer, and its body.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: HeaderMap,
    url: String,
    body: Body,
}

impl Response {
    /// Makes the answer of a URL.
    pub(crate) fn new(status: u16, headers: HeaderMap, url: String, body: Body) -> Self {
        Self { status, headers, url, body }
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the URL that answered.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }

    /// Returns the body for a change.
    pub(crate) fn map_body(self, change: impl FnOnce(Body) -> Body) -> Self {
        Self { body: change(self.body), ..self }
    }

    /// Refuses an answer that is an error, or that has another form than the wanted one.
    pub(crate) fn checked(self, form: Form) -> Result<Self> {
        if !(200..300).contains(&self.status) {
            return Err(self.into_error());
        }
        let found = self.header("content-type").unwrap_or_default();
        let found = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_wanted = match form {
            Form::Any => true,
            Form::Text => found != "text/html",
            // Hosts of static files often serve documents without a type.
            Form::Json => {
                found == "application/json" || found.ends_with("+json") || found.is_empty()
            }
            Form::Car => found == "application/vnd.ipld.car",
        };
        if is_wanted {
            return Ok(self);
        }
        let came = match found.as_str() {
            "" => "no Content-Type".to_owned(),
            "text/html" => "an HTML page".to_owned(),
            other => format!("content of the type {}", cut(other, 100)),
        };
        Err(Error::NotAtproto { url: self.url, came })
    }

    /// Reads the error that the host names.
    fn into_error(self) -> Error {
        let (url, status) = (self.url, self.status);
        let body = self.body.head(MAX_ERROR_BODY_BYTES);
        let named: HostError = serde_json::from_slice(&body).unwrap_or_default();
        let kept = |text: Option<String>| text.map(|text| cut(&text, MAX_ERROR_BYTES).to_owned());
        Error::Http { url, status, error: kept(named.error), message: kept(named.message) }
    }
}

/// The body of an error of XRPC.
#[derive(Deserialize, Default)]
struct HostError {
    error: Option<String>,
    message: Option<String>,
}
