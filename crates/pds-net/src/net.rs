//! The client: options, connections, and the calls over them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::unversioned::transport::Transport;

use crate::advice::Advice;
use crate::body::Body;
use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::host::Host;
use crate::http::Http;
use crate::limits;
use crate::options::NetOptions;
use crate::permit::{Permit, Places};
use crate::private_addresses::PrivateAddresses;
use crate::progress::{Progress, Report};
use crate::redirect;
use crate::request::Request;
use crate::response::Response;
use crate::retry;
use crate::traffic::{Counters, Traffic};

/// The network as this program uses it: options, connections, and the limits of each host.
///
/// Clones share all of it.
#[derive(Debug, Clone)]
pub struct Net {
    inner: Arc<Inner>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Inner {
    options: NetOptions,
    http: Http,
    places: Arc<Places>,
    gate: Gate,
}

/// The network, and the function that learns of waits.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    net: &'a Net,
    report: Option<Report<'a>>,
}

impl Net {
    /// Makes a client. No connection is made.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the proxy or the certificates of the environment are not usable.
    pub fn new(options: NetOptions) -> Result<Self> {
        let http = Http::new(&options)?;
        let places = Arc::new(Places::new(options.jobs, limits::REQUESTS_IN_ALL));
        let gate = Gate::new(options.max_wait, Arc::clone(&options.clock));
        let inner = Arc::new(Inner { options, http, places, gate });
        Ok(Self { inner, counters: Arc::default() })
    }

    /// Returns the options.
    #[must_use]
    pub fn options(&self) -> &NetOptions {
        &self.inner.options
    }

    /// Returns the counts of requests and bytes so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.counters.traffic()
    }

    /// Returns the same network with counts of its own, which begin at zero. This network counts the same requests.
    #[must_use]
    pub fn with_own_counts(&self) -> Self {
        let counters = Arc::new(Counters::part_of(&self.counters));
        Self { inner: Arc::clone(&self.inner), counters }
    }

    /// Returns the client for calls without a report.
    #[must_use]
    pub fn client(&self) -> Client<'_> {
        Client { net: self, report: None }
    }

    /// Returns the client for calls whose waits are reported.
    #[must_use]
    pub fn reporting<'a>(&'a self, report: Report<'a>) -> Client<'a> {
        Client { net: self, report: Some(report) }
    }

    /// Parses the URL of a host that a document or an answer names, and checks that it may be dialled.
    ///
    /// # Errors
    ///
    /// [`Error::Url`] if it is not the URL of a host, [`Error::Address`] if it may not be dialled.
    pub fn host(&self, url: &str) -> Result<Host> {
        let host: Host = url.parse()?;
        let checked = self.private_addresses().check_host(&host);
        checked.map_err(|fault| Error::Address { host: host.to_string(), fault })?;
        Ok(host)
    }

    /// Returns the rule for private addresses.
    #[must_use]
    pub fn private_addresses(&self) -> &PrivateAddresses {
        self.inner.http.private()
    }
}

impl<'a> Client<'a> {
    /// Returns the network.
    #[must_use]
    pub fn net(&self) -> &'a Net {
        self.net
    }

    /// Waits. `step` is reported at least once a second.
    pub(crate) fn pause(&self, time: Duration, step: &dyn Fn() -> Progress) -> Result<()> {
        self.net.inner.gate.pause(time, self.report, step)
    }

    /// Returns a random number for the length of a pause.
    pub(crate) fn random(&self) -> u32 {
        self.net.inner.gate.clock().random()
    }

    /// Sends a request, and gives back the answer if its status is 2xx and its form is the wanted one.
    ///
    /// The request waits as long as the host asks for. If the failure may pass, the request is sent again, but not
    /// one that may have changed something.
    ///
    /// The body is read by the caller. While it is kept, it has one of the places for parallel requests: a thread that
    /// keeps a body must not send another request.
    ///
    /// # Errors
    ///
    /// The fault of the connection, or the error that the host names. [`Error::RateLimited`] if the wait is too long,
    /// [`Error::Stopped`] if the report ended it.
    pub fn send(&self, request: &Request<'_>) -> Result<Response> {
        self.repeat(request, || self.send_once(request))
    }

    /// Sends a request and reads the whole body. If the body is cut, the request is sent again.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and the faults of the body.
    pub fn bytes(&self, request: &Request<'_>) -> Result<Vec<u8>> {
        self.read(request, Body::into_bytes)
    }

    /// Sends a request and gives its body to a function. If the function fails because the body is cut, the request is
    /// sent again.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and the errors of the function.
    pub fn read<T>(&self, request: &Request<'_>, read: impl Fn(Body) -> Result<T>) -> Result<T> {
        self.repeat(request, || read(self.send_once(request)?.into_body()))
    }

    /// Sends a request for another protocol, and gives back the connection if the host agrees.
    ///
    /// Only the request has one of the places for parallel requests, because the connection may stay for days.
    pub(crate) fn upgrade(
        &self,
        request: &Request<'_>,
    ) -> Result<(Response, Option<Box<dyn Transport>>)> {
        self.repeat(request, || {
            let _permit = self.enter(request)?;
            let (response, transport) = self.net.inner.http.upgrade(request, &self.net.counters)?;
            self.note(request, &response);
            if transport.is_some() {
                return Ok((response, transport));
            }
            if let Some(to) = redirect::target(&response) {
                let reason = "a WebSocket follows no redirect";
                return Err(redirect::refusal(response.url(), to, reason));
            }
            Ok((response.checked(request.bounds.form)?, None))
        })
    }

    /// Returns the counters of the client.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.net.counters)
    }

    fn send_once(&self, request: &Request<'_>) -> Result<Response> {
        let permit = self.enter(request)?;
        let response = self.net.inner.http.send(request, &self.net.counters)?;
        self.note(request, &response);
        let response = response.checked(request.bounds.form)?;
        Ok(response.map_body(|body| body.holding(permit)))
    }

    /// Waits until a request is welcome, and takes a place for it.
    fn enter(&self, request: &Request<'_>) -> Result<Permit> {
        self.net.inner.gate.enter(request.host, self.report)?;
        Ok(self.net.inner.places.take(request.host))
    }

    /// Notes what an answer says about further requests.
    fn note(&self, request: &Request<'_>, response: &Response) {
        // After a redirect, the answer comes from another host.
        if response.url() == request.url() {
            let gate = &self.net.inner.gate;
            let now = gate.clock().now();
            let advice = Advice::read(response.status(), |name| response.header(name), now);
            gate.note(request.host, advice);
        }
    }

    /// Calls a function until it succeeds, or until its failure will not pass.
    fn repeat<T>(&self, request: &Request<'_>, call: impl Fn() -> Result<T>) -> Result<T> {
        let gate = &self.net.inner.gate;
        let mut try_number = 1;
        loop {
            let error = match call() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let host = request.host;
            let asked = gate.not_before(host);
            if !retry::is_repeated(request, &error, try_number) {
                return Err(match asked {
                    Some(until) if error.status() == Some(429) => {
                        Error::RateLimited { host: host.clone(), until }
                    }
                    _ => error,
                });
            }
            // If the host asks for a wait, the gate waits.
            let pause = match asked {
                Some(_) => Duration::ZERO,
                None => retry::pause(try_number, gate.clock().random()),
            };
            try_number += 1;
            let reason = error.to_string();
            gate.pause(pause, self.report, || Progress::Retrying {
                host: host.clone(),
                try_number,
                after: pause,
                error: reason.clone(),
            })?;
        }
    }

    /// Sends a request and parses the JSON of the answer.
    ///
    /// # Errors
    ///
    /// As for [`bytes`](Self::bytes), and [`Error::Answer`] if the JSON has another form.
    pub fn json<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T> {
        let bytes = self.bytes(request)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::Answer { url: request.url(), reason: error.to_string() })
    }
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("reports", &self.report.is_some()).finish()
    }
}
