//! Retries and waits, with a clock that does not wait.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pds_net::clock::Clock;
use pds_net::error::Error;
use pds_net::net::Net;
use pds_net::progress::Progress;
use pds_net::request::{Bounds, Request};

use crate::server::{Server, ok, options, with_headers};

/// A clock that advances when it is asked to wait.
#[derive(Debug)]
struct FakeClock(Mutex<SystemTime>);

const START: Duration = Duration::from_secs(1_800_000_000);

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }

    fn random(&self) -> u32 {
        u32::MAX
    }
}

fn net() -> (Net, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock(Mutex::new(UNIX_EPOCH + START)));
    let mut options = options();
    options.clock = Arc::<FakeClock>::clone(&clock);
    (Net::new(options).unwrap(), clock)
}

/// Fails for some requests, and succeeds then.
fn failing(times: usize, failure: impl Into<Vec<u8>>) -> Server {
    let (failure, count) = (failure.into(), AtomicUsize::new(0));
    Server::start(move |_, stream| {
        let is_failure = count.fetch_add(1, Ordering::SeqCst) < times;
        let answer = if is_failure { failure.clone() } else { ok("application/json", b"{}") };
        let _ = stream.write_all(&answer);
    })
}

fn waited(clock: &FakeClock) -> u64 {
    (clock.now().duration_since(UNIX_EPOCH).unwrap() - START).as_secs()
}

fn read(net: &Net, server: &Server) -> Result<Vec<u8>, Error> {
    net.client().bytes(&Request::query(&server.host, "a.b.c", Bounds::JSON))
}

#[test]
fn failures_that_pass() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    for failure in [with_headers(502, "", b""), with_headers(408, "", b""), cut.into(), Vec::new()]
    {
        let (net, clock) = net();
        let server = failing(4, failure.clone());
        assert_eq!(read(&net, &server).unwrap(), b"{}");
        assert_eq!((server.requests(), waited(&clock)), (5, 1 + 2 + 4 + 8));
        let server = failing(5, failure);
        assert!(read(&net, &server).unwrap_err().is_retryable());
        assert_eq!(server.requests(), 5);
    }
}

#[test]
fn failures_that_do_not_pass() {
    let (net, clock) = net();
    let server = failing(1, with_headers(400, "", b""));
    assert_eq!(read(&net, &server).unwrap_err().status(), Some(400));
    assert_eq!((server.requests(), waited(&clock)), (1, 0));
}

#[test]
fn a_host_without_tls_is_not_asked_again() {
    let (net, clock) = net();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            // The connection stays open until the client has read the answer.
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    let error = net.client().bytes(&Request::query(&host, "a.b.c", Bounds::JSON)).unwrap_err();
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");
    assert!(error.is_remote() && !error.is_retryable());
    assert_eq!((connections.load(Ordering::SeqCst), waited(&clock)), (1, 0));
}

#[test]
fn a_change_is_not_sent_again() {
    let (net, _) = net();
    let write = |server: &Server| {
        let request =
            Request::procedure(&server.host, "a.b.c", "application/json", b"{}", Bounds::JSON);
        net.client().bytes(&request)
    };
    let server = failing(1, with_headers(500, "", b""));
    assert_eq!(write(&server).unwrap_err().status(), Some(500));
    assert_eq!(server.requests(), 1);
    let server = failing(1, with_headers(429, "", b""));
    assert!(write(&server).is_ok());
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_host_asks_for_a_wait() {
    let (net, clock) = net();
    let server = failing(1, with_headers(429, "retry-after: 100\r\n", b""));
    assert!(read(&net, &server).is_ok());
    assert_eq!(waited(&clock), 100);
    let reset = format!("ratelimit-reset: {}\r\n", START.as_secs() + 300);
    let server = failing(1, with_headers(429, &reset, b""));
    assert!(read(&net, &server).is_ok());
    assert_eq!(waited(&clock), 300);
}

#[test]
fn a_storm_of_refusals_ends_with_the_time_to_come_back() {
    let (net, clock) = net();
    let server = failing(99, with_headers(429, "retry-after: 99999999\r\n", b""));
    let until = UNIX_EPOCH + START + Duration::from_secs(99_999_999);
    let error = read(&net, &server).unwrap_err();
    assert!(matches!(&error, Error::RateLimited { until: found, .. } if *found == until));
    assert!(matches!(read(&net, &server), Err(Error::RateLimited { .. })));
    assert_eq!((server.requests(), waited(&clock)), (1, 0));
    let server = failing(99, with_headers(429, "retry-after: 60\r\n", b""));
    assert!(matches!(read(&net, &server), Err(Error::RateLimited { .. })));
    assert_eq!((server.requests(), waited(&clock)), (5, 240));
}

#[test]
fn few_requests_are_spread() {
    let (net, clock) = net();
    let headers =
        "content-type: application/json\r\nratelimit-remaining: 2\r\nratelimit-reset: 90\r\n";
    let server = Server::sending(with_headers(200, headers, b"{}"));
    assert!(read(&net, &server).is_ok());
    assert_eq!(waited(&clock), 0);
    assert!(read(&net, &server).is_ok() && read(&net, &server).is_ok());
    assert!((30..=90).contains(&waited(&clock)), "{}", waited(&clock));
}

#[test]
fn the_caller_sees_the_retries_and_stops_them() {
    let (net, _) = net();
    let server = failing(99, with_headers(500, "", br#"{"error":"InternalServerError"}"#));
    let seen = Mutex::new(Vec::new());
    let report = |progress: Progress| {
        let Progress::Retrying { try_number, error, .. } = progress else { unreachable!() };
        assert!(error.contains("InternalServerError"), "{error}");
        seen.lock().unwrap().push(try_number);
        if try_number == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let request = Request::query(&server.host, "a.b.c", Bounds::JSON);
    assert!(matches!(net.reporting(&report).bytes(&request), Err(Error::Stopped)));
    assert_eq!((server.requests(), seen.into_inner().unwrap()), (2, vec![2, 3]));
}
