//! The bounds of an answer, against servers that do not keep the rules of HTTP.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::server::{Server, impatient, ok, patient, with_headers};
use flate2::Compression;
use flate2::write::GzEncoder;
use pds_net::error::Error;
use pds_net::net::Net;
use pds_net::request::{Bounds, Form, Request};
use proptest::prelude::*;

/// The bounds of these tests: any bytes, at most a megabyte.
const SMALL: Bounds =
    Bounds { what: "the test", form: Form::Any, max_bytes: 1 << 20, ..Bounds::JSON };

fn fetch(net: &Net, server: &Server) -> Result<Vec<u8>, Error> {
    net.client().bytes(&Request::get(&server.host, "/x", SMALL).once())
}

fn fault(net: &Net, answer: impl Into<Vec<u8>>) -> Error {
    fetch(net, &Server::sending(answer)).unwrap_err()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn whole_answers_of_all_kinds() {
    let net = patient();
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(fetch(&net, &Server::sending(ok("a/b", b"abc"))).unwrap(), b"abc");
    assert_eq!(fetch(&net, &Server::sending(chunked)).unwrap(), b"abcde");
    assert_eq!(fetch(&net, &Server::sending("HTTP/1.1 200 OK\r\n\r\nabc")).unwrap(), b"abc");
    let compressed = with_headers(200, "content-encoding: gzip\r\n", &gzip(b"abc"));
    let bytes = compressed.len() as u64;
    assert_eq!(fetch(&net, &Server::sending(compressed)).unwrap(), b"abc");
    let traffic = net.traffic();
    assert_eq!(traffic.requests, 4);
    assert!(traffic.bytes_received < bytes + 11, "{traffic:?}");
}

#[test]
fn a_host_that_never_answers() {
    let silent = Server::start(|_, _| thread::sleep(Duration::from_secs(30)));
    assert!(matches!(fetch(&impatient(), &silent), Err(Error::Stalled { .. })));
}

#[test]
fn a_body_that_stops() {
    let stops = Server::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").unwrap();
        thread::sleep(Duration::from_secs(30));
    });
    assert!(matches!(fetch(&impatient(), &stops), Err(Error::Stalled { .. })));
}

#[test]
fn a_body_that_drips() {
    let drips = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let error = fetch(&impatient(), &drips).unwrap_err();
    assert!(
        matches!(&error, Error::Stalled { what, .. } if what.contains("too few bytes")),
        "{error}"
    );
}

#[test]
fn gzip_that_drips_without_a_byte_of_content() {
    let drips = Server::start(|_, stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03",
        );
        // Empty blocks of deflate.
        while stream.write_all(b"\0\0\0\xff\xff").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let error = fetch(&impatient(), &drips).unwrap_err();
    assert!(
        matches!(&error, Error::Stalled { what, .. } if what.contains("too few bytes")),
        "{error}"
    );
}

#[test]
fn gzip_without_content_and_without_end() {
    let floods = Server::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03";
        let _ = stream.write_all(head);
        while stream.write_all(&b"\0\0\0\xff\xff".repeat(1000)).is_ok() {}
    });
    assert!(matches!(fetch(&patient(), &floods), Err(Error::Bound { limit: 0x0010_0000, .. })));
}

#[test]
fn cut_bodies() {
    let net = patient();
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
    assert!(matches!(fault(&net, length), Error::Cut { bytes: 3, .. }));
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    assert!(matches!(fault(&net, chunk), Error::Cut { bytes: 3, .. }));
    let in_chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc";
    assert!(matches!(fault(&net, in_chunk), Error::Cut { bytes: 3, .. }));
    let whole = gzip(&[7; 1000]);
    let half = with_headers(200, "content-encoding: gzip\r\n", &whole[..whole.len() - 9]);
    assert!(matches!(fault(&net, half), Error::Cut { .. }));
}

#[test]
fn endless_headers() {
    let endless = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream
            .write_all(b"a: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n")
            .is_ok()
        {}
    });
    let error = fetch(&patient(), &endless).unwrap_err();
    assert!(error.is_remote() && !error.is_retryable(), "{error}");
    let one = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\na: ");
        while stream.write_all(&[b'b'; 1000]).is_ok() {}
    });
    let error = fetch(&patient(), &one).unwrap_err();
    assert!(matches!(error, Error::Bound { what: "the header", .. }), "{error}");
}

#[test]
fn endless_bodies() {
    let net = patient();
    let endless = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'b'; 10_000]).is_ok() {}
    });
    assert!(matches!(fetch(&net, &endless), Err(Error::Bound { .. })));
    let before = net.traffic().bytes_received;
    let announced = Server::sending("HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n");
    assert!(matches!(fetch(&net, &announced), Err(Error::Bound { limit: 0x0010_0000, .. })));
    assert_eq!(net.traffic().bytes_received, before);
    let just = fetch(&net, &Server::sending(ok("a/b", &[7; 1 << 20]))).unwrap();
    assert_eq!(just.len(), 1 << 20);
}

#[test]
fn gzip_bombs() {
    let net = patient();
    let one = gzip(&vec![0; 64 << 20]);
    let bomb = with_headers(200, "content-encoding: gzip\r\n", &one);
    assert!(matches!(fault(&net, bomb), Error::Bound { .. }));
    let two = gzip(&one);
    let layers = with_headers(200, "content-encoding: gzip, gzip\r\n", &two);
    assert!(matches!(fault(&net, layers), Error::Answer { .. }));
    let headers = "content-encoding: gzip\r\ncontent-encoding: gzip\r\n";
    assert!(matches!(fault(&net, with_headers(200, headers, &two)), Error::Answer { .. }));
    let hidden = with_headers(200, "content-encoding: gzip\r\n", &two);
    assert_eq!(fetch(&net, &Server::sending(hidden)).unwrap(), one, "one layer is undone");
    let other = with_headers(200, "content-encoding: br\r\n", b"x");
    assert!(matches!(fault(&net, other), Error::Answer { .. }));
    let wrong = with_headers(200, "content-encoding: gzip\r\n", b"not gzip at all");
    assert!(matches!(fault(&net, wrong), Error::Answer { .. }));
}

#[test]
fn what_is_no_http() {
    let error = fault(&patient(), "SSH-2.0-OpenSSH_9.9\r\n\r\n");
    assert!(error.is_remote(), "{error}");
    let closes = Server::start(|_, _| {});
    assert!(matches!(fetch(&patient(), &closes), Err(Error::Connect { .. })));
}

#[test]
fn interim_answers_without_end() {
    let floods = Server::start(|_, stream| {
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n").is_ok() {}
    });
    assert!(fetch(&impatient(), &floods).unwrap_err().is_remote());
}

#[test]
fn lengths_that_contradict_each_other() {
    for headers in
        ["content-length: 3\r\ncontent-length: 4", "content-length: -3", "content-length: 3x"]
    {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\nabc");
        assert!(fault(&patient(), answer).is_remote(), "{headers}");
    }
}

/// Parts of answers. Together they make valid, broken and absurd ones.
const PARTS: [&[u8]; 18] = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 302 Found\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 99999 x\r\n",
    b"content-length: 3\r\n",
    b"content-length: 99999999999999999999\r\n",
    b"transfer-encoding: chunked\r\n",
    b"content-encoding: gzip\r\n",
    b"content-type: text/html\r\n",
    b"location: /x\r\n",
    b"retry-after: 0\r\n",
    b"\r\n",
    b"3\r\nabc\r\n",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
    b"\x1f\x8b\x08\x1f\xff\xff\xff\xff\x00\x03",
    b"\0\xff\xfe",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_answer_makes_the_client_panic(parts in prop::collection::vec(0..PARTS.len(), 0..12)) {
        let parts: Vec<&[u8]> = [0].iter().chain(&parts).map(|part| PARTS[*part]).collect();
        let server = Server::sending(parts.concat());
        if let Err(error) = fetch(&impatient(), &server) {
            prop_assert!(error.is_remote(), "{}", error);
        }
    }
}
