//! Handshakes of WebSockets: refused, invalid, and not sent.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pds_net::error::Error;
use pds_net::net::Net;
use pds_net::options::ProxyOptions;
use pds_net::private_addresses::{AddressFault, PrivateAddresses};
use pds_net::socket::{Messages, Socket};

use crate::server::{Server, impatient, ok, options, patient, with_headers};
use crate::sockets::{PATH, agree};

fn refusal(net: &Net, host: &str) -> Error {
    let host = host.parse().unwrap();
    Socket::open(net.client(), &host, PATH, Messages::Binary).unwrap_err()
}

fn of_answer(answer: impl Into<Vec<u8>>) -> Error {
    let server = Server::sending(answer);
    let error = refusal(&patient(), &server.host.to_string());
    assert_eq!(server.requests(), 1, "the request is sent once");
    error
}

#[test]
fn errors_of_hosts_are_kept() {
    let body = br#"{"error":"AuthMissing","message":"Log in"}"#;
    let error = of_answer(with_headers(401, "content-type: application/json\r\n", body));
    assert_eq!((error.status(), error.host_error()), (Some(401), Some("AuthMissing")));
    let error = of_answer(with_headers(404, "content-type: text/html\r\n", b"<html>"));
    assert_eq!((error.status(), error.host_error()), (Some(404), None));
    let error = of_answer(with_headers(503, "", b""));
    assert!(error.status() == Some(503) && error.is_retryable(), "{error}");
    let error = of_answer(with_headers(429, "retry-after: 7\r\n", b""));
    assert!(matches!(error, Error::RateLimited { .. }), "{error}");
}

#[test]
fn a_rate_limit_keeps_the_next_handshake_back() {
    let mut options = options();
    options.max_wait = Duration::from_secs(5);
    let net = Net::new(options).unwrap();
    let limits = Server::sending(with_headers(429, "retry-after: 7\r\n", b""));
    for _ in 0..3 {
        let error = refusal(&net, &limits.host.to_string());
        assert!(matches!(error, Error::RateLimited { .. }), "{error}");
    }
    assert_eq!(limits.requests(), 1);
}

#[test]
fn what_is_no_event_stream() {
    let error = of_answer(ok("text/html", b"<html>"));
    assert!(matches!(&error, Error::NotAtproto { came, .. } if came == "an HTML page"), "{error}");
    let error = of_answer(ok("application/json", b"{}"));
    assert!(matches!(&error, Error::NotAtproto { came, .. } if came == "no WebSocket"), "{error}");
    let error = of_answer("SSH-2.0-OpenSSH_9.9\r\n\r\n");
    assert!(error.is_remote(), "{error}");
}

#[test]
fn redirects_are_not_followed() {
    let other = Server::sending(ok("text/html", b""));
    for to in [other.host.to_string(), "http://169.254.169.254/".to_owned(), "/other".to_owned()] {
        let error = of_answer(with_headers(302, &format!("location: {to}\r\n"), b""));
        assert!(matches!(error, Error::Redirect { .. }), "{error}");
    }
    assert_eq!(other.requests(), 0);
}

#[test]
fn answers_that_agree_to_something_else() {
    for (from, to) in [
        ("Accept: ", "Accept: x"),
        ("websocket", "h2c"),
        ("Connection: upgrade", "Connection: close"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
        ("Sec-WebSocket-Accept", "X-Accept"),
    ] {
        let server = Server::start(move |head, stream| {
            let answer = String::from_utf8(agree(head)).unwrap().replace(from, to);
            let _ = stream.write_all(answer.as_bytes());
        });
        let error = refusal(&patient(), &server.host.to_string());
        assert!(matches!(error, Error::Answer { .. }), "{to}: {error}");
    }
}

#[test]
fn headers_without_end_and_headers_that_do_not_come() {
    let endless = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 101 x\r\na: ");
        while stream.write_all(&[b'b'; 1000]).is_ok() {}
    });
    let error = refusal(&patient(), &endless.host.to_string());
    assert!(matches!(error, Error::Bound { what: "the header", .. }), "{error}");
    let stalls = Server::start(|_, _| thread::sleep(Duration::from_secs(30)));
    let error = refusal(&impatient(), &stalls.host.to_string());
    assert!(matches!(error, Error::Stalled { what: "no answer arrived", .. }), "{error}");
}

#[test]
fn private_addresses_are_not_dialled() {
    let error = refusal(&patient(), "http://169.254.169.254");
    assert!(matches!(error, Error::Address { fault: AddressFault::LinkLocal, .. }), "{error}");
    let server = Server::sending(ok("text/html", b""));
    let mut refusing = options();
    refusing.private_addresses = PrivateAddresses::Refuse;
    let net = Net::new(refusing).unwrap();
    let local = server.host.to_string();
    for host in [local.as_str(), "https://10.0.0.1", "https://localhost", "https://[::1]"] {
        let error = refusal(&net, host);
        assert!(matches!(error, Error::Address { .. }), "{error}");
    }
    assert_eq!((server.requests(), net.traffic().requests), (0, 0));
}

#[test]
fn the_proxy_of_the_user_is_asked_for_public_hosts() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let proxy = Server::start(move |head, stream| {
        seen.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
        let _ = stream.write_all(b"HTTP/1.1 403 no\r\nconnection: close\r\n\r\n");
    });
    let mut options = options();
    options.private_addresses = PrivateAddresses::Refuse;
    options.proxy = ProxyOptions::Proxy { url: proxy.host.to_string(), except: String::new() };
    let net = Net::new(options).unwrap();
    let error = refusal(&net, "https://pds.a-name-that-does-not-exist.com");
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    let wanted = "CONNECT pds.a-name-that-does-not-exist.com:443 HTTP/1.1";
    assert_eq!(*lines.lock().unwrap(), [wanted]);
}
