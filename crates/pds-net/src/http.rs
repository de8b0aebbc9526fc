//! One request, with its redirects: every bound of an answer is set here.

use std::io;
use std::sync::Arc;

use ureq::http::{self, StatusCode, header};
use ureq::unversioned::transport::{Connector, Transport};
use ureq::{Agent, AsSendBody, SendBody};

use crate::body::{Body, Origin};
use crate::dial::{CheckedResolver, NotDialled, Rule, connector};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::kept::Kept;
use crate::limits;
use crate::options::{NetOptions, Patience};
use crate::private_addresses::PrivateAddresses;
use crate::redirect;
use crate::request::{Form, Method, Request};
use crate::response::Response;
use crate::traffic::Counters;
use crate::{proxy, tls};

/// The name by which hosts know the client.
const USER_AGENT: &str =
    concat!("pds/", env!("CARGO_PKG_VERSION"), " (+https://crates.io/crates/atpds)");

/// Connections, and the rules for them.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    rule: Arc<Rule>,
    patience: Patience,
}

impl Http {
    /// Makes the client of HTTP.
    pub(crate) fn new(options: &NetOptions) -> Result<Self> {
        let proxy = proxy::proxy(&options.proxy)?;
        let rule = Arc::new(Rule {
            private: options.private_addresses.clone(),
            proxy: proxy.as_ref().map(|proxy| proxy.uri().clone()),
        });
        let patience = options.patience;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .tls_config(tls::config(options.certificates.as_deref())?)
            .user_agent(USER_AGENT)
            .accept_encoding("gzip")
            .max_response_header_size(limits::MAX_HEADER_BYTES)
            .max_idle_age(limits::MAX_IDLE)
            .max_idle_connections(limits::REQUESTS_IN_ALL)
            .max_idle_connections_per_host(limits::REQUESTS_A_HOST)
            .timeout_resolve(Some(limits::RESOLVE_TIMEOUT))
            .timeout_connect(Some(patience.connect))
            .timeout_per_write(Some(patience.between_bytes))
            .build();
        let resolver = CheckedResolver(Arc::clone(&rule));
        let agent = Agent::with_parts(config, connector(&rule), resolver);
        Ok(Self { agent, rule, patience })
    }

    /// Returns the rule for private addresses.
    pub(crate) fn private(&self) -> &PrivateAddresses {
        &self.rule.private
    }

    /// Sends a request and follows its redirects. Returns answers of every status.
    pub(crate) fn send(&self, request: &Request<'_>, counters: &Arc<Counters>) -> Result<Response> {
        let mut hops = 0;
        let mut place: Option<(Host, String)> = None;
        loop {
            let (host, target) = match &place {
                Some((host, target)) => (host, target.as_str()),
                None => (request.host, request.target.as_str()),
            };
            let response = self.send_once(&self.agent, request, (host, target), counters)?;
            let Some(to) = redirect::target(&response) else {
                return Ok(response);
            };
            let next = redirect::next(request, host, response.url(), to, hops)?;
            hops += 1;
            place = Some(next);
        }
    }

    /// Sends a request for another protocol. If the host agrees, its answer has the status 101, and the connection comes
    /// with it. Redirects are not followed.
    pub(crate) fn upgrade(
        &self,
        request: &Request<'_>,
        counters: &Arc<Counters>,
    ) -> Result<(Response, Option<Box<dyn Transport>>)> {
        let kept = Kept::default();
        let connector = connector(&self.rule).chain(kept.clone());
        let resolver = CheckedResolver(Arc::clone(&self.rule));
        let agent = Agent::with_parts(self.agent.config().clone(), connector, resolver);
        let place = (request.host, request.target.as_str());
        let response = self.send_once(&agent, request, place, counters)?;
        let is_agreed = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        Ok((response, if is_agreed { kept.take() } else { None }))
    }

    fn send_once(
        &self,
        agent: &Agent,
        request: &Request<'_>,
        (host, target): (&Host, &str),
        counters: &Arc<Counters>,
    ) -> Result<Response> {
        let url = format!("{host}{target}");
        self.rule
            .private
            .check_host(host)
            .map_err(|fault| Error::Address { host: host.to_string(), fault })?;
        counters.requested();
        let method = match request.method {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
        };
        let mut builder = http::Request::builder().method(method).uri(&url);
        builder = builder.header(header::ACCEPT, accept(request.bounds.form));
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some((content_type, _)) = request.body {
            builder = builder.header(header::CONTENT_TYPE, content_type);
        }
        let answer = match request.body {
            Some((_, bytes)) => self.run(agent, builder.body(bytes), request, host, &url),
            None => self.run(agent, builder.body(SendBody::none()), request, host, &url),
        }?;
        self.response(answer, request, url, counters)
    }

    fn run(
        &self,
        agent: &Agent,
        message: http::Result<http::Request<impl AsSendBody>>,
        request: &Request<'_>,
        host: &Host,
        url: &str,
    ) -> Result<http::Response<ureq::Body>> {
        let message = message.map_err(|error| {
            let reason = format!("the request cannot be written: {error}");
            Error::Connect { host: host.clone(), reason }
        })?;
        let first_byte = request.bounds.first_byte.unwrap_or(self.patience.first_byte);
        let mut configured = agent
            .configure_request(message)
            .timeout_recv_response(Some(first_byte))
            .timeout_per_read(Some(first_byte.max(self.patience.between_bytes)));
        if !host.is_https() {
            // The proxy of the user is one for https.
            configured = configured.proxy(None);
        }
        let sent = agent.run(configured.build());
        sent.map_err(|error| fault(error, host, url, first_byte))
    }

    fn response(
        &self,
        answer: http::Response<ureq::Body>,
        request: &Request<'_>,
        url: String,
        counters: &Arc<Counters>,
    ) -> Result<Response> {
        let (parts, body) = answer.into_parts();
        let is_error = !parts.status.is_success();
        let encoding = parts.headers.get(header::CONTENT_ENCODING).map(http::HeaderValue::as_bytes);
        let is_gzip = encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case(b"gzip"));
        let is_plain = encoding.is_none_or(|encoding| encoding.eq_ignore_ascii_case(b"identity"));
        let encodings = parts.headers.get_all(header::CONTENT_ENCODING).iter().count();
        if encodings > 1 || !(is_gzip || is_plain) {
            let reason = "its encoding is neither gzip nor identity".to_owned();
            return Err(Error::Answer { url, reason });
        }
        let length = parts.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let has_body = request.method != Method::Head && parts.status != StatusCode::NO_CONTENT;
        // The body of an error is cut, and that of a HEAD request has no bytes.
        let total = length.filter(|_| has_body && !is_error);
        let origin = Origin {
            url: url.clone(),
            what: request.bounds.what,
            max_bytes: if is_error { limits::MAX_JSON_BYTES } else { request.bounds.max_bytes },
            patience: self.patience,
            counters: Arc::clone(counters),
        };
        let body = Body::new(body, is_gzip && has_body, total, origin)?;
        Ok(Response::new(parts.status.as_u16(), parts.headers, url, body))
    }
}

fn accept(form: Form) -> &'static str {
    match form {
        Form::Json => "application/json",
        Form::Car => "application/vnd.ipld.car",
        Form::Text => "text/plain",
        Form::Any => "*/*",
    }
}

/// Says what kept an answer from coming.
fn fault(error: ureq::Error, host: &Host, url: &str, first_byte: std::time::Duration) -> Error {
    let (url, host) = (url.to_owned(), host.clone());
    let connect = |reason: String| Error::Connect { host: host.clone(), reason };
    match error {
        ureq::Error::Other(inner) => match inner.downcast::<NotDialled>() {
            Ok(refused) => Error::Address { host: refused.host, fault: refused.fault },
            Err(inner) => connect(inner.to_string()),
        },
        ureq::Error::LargeResponseHeader(_, limit) => {
            Error::Bound { url, what: "the header", limit: limit as u64 }
        }
        ureq::Error::Timeout(
            ureq::Timeout::RecvResponse | ureq::Timeout::PerRead | ureq::Timeout::RecvBody,
        ) => Error::Stalled { url, what: "no answer arrived", after: first_byte },
        ureq::Error::HostNotFound => connect("the name does not exist".to_owned()),
        // The errors of TLS have this kind.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Error::Untrusted { host, reason: error.to_string() }
        }
        ureq::Error::Io(error) => connect(error.to_string()),
        ureq::Error::Protocol(error) => {
            Error::Answer { url, reason: format!("it is not HTTP: {error}") }
        }
        other => connect(other.to_string()),
    }
}
