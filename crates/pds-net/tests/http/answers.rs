//! Redirects, errors and the form of answers.

use std::io::Write;

use crate::server::{Server, ok, options, patient, with_headers};
use pds_net::error::Error;
use pds_net::net::Net;
use pds_net::private_addresses::{AddressFault, PrivateAddresses};
use pds_net::request::{Bounds, Request};
use pds_net::xrpc::server::describe_server;

fn json(net: &Net, server: &Server) -> Result<serde_json::Value, Error> {
    net.client().json(&Request::query(&server.host, "a.b.c", Bounds::JSON).once())
}

/// A client that admits one server only.
fn admitting(server: &Server) -> Net {
    let mut options = options();
    let place = format!("127.0.0.1:{}", server.host.port());
    options.private_addresses = PrivateAddresses::Hosts(vec![place]);
    Net::new(options).unwrap()
}

fn redirecting(to: &str) -> Server {
    Server::sending(with_headers(302, &format!("location: {to}\r\n"), b""))
}

#[test]
fn a_redirect_is_followed() {
    let end = Server::sending(ok("application/json", b"{\"a\":1}"));
    let start = redirecting(&format!("{}/y?z", end.host));
    assert_eq!(json(&patient(), &start).unwrap()["a"], 1);
    assert_eq!(end.requests(), 1);
}

#[test]
fn a_redirect_to_a_private_address_is_not_followed() {
    let hidden = Server::sending(ok("application/json", b"{}"));
    for to in [hidden.host.to_string(), "https://10.0.0.1/".to_owned(), "https://[::1]/".to_owned()]
    {
        let start = redirecting(&to);
        let error = json(&admitting(&start), &start).unwrap_err();
        assert!(matches!(error, Error::Address { fault: AddressFault::Private, .. }), "{error}");
    }
    let start = redirecting("http://169.254.169.254/latest/meta-data/");
    let error = json(&patient(), &start).unwrap_err();
    assert!(matches!(error, Error::Address { fault: AddressFault::LinkLocal, .. }), "{error}");
    assert_eq!(hidden.requests(), 0);
}

#[test]
fn a_loop_of_redirects_ends() {
    let around = redirecting("/xrpc/a.b.c");
    assert!(matches!(json(&patient(), &around), Err(Error::Redirect { .. })));
    assert_eq!(around.requests(), 4);
    let nowhere = Server::sending(with_headers(302, "", b""));
    assert!(matches!(json(&patient(), &nowhere), Err(Error::Redirect { .. })));
}

#[test]
fn a_credential_is_sent_to_one_host_only() {
    let other = Server::sending(ok("application/json", b"{}"));
    let start = redirecting(&other.host.to_string());
    let request = Request::query(&start.host, "a.b.c", Bounds::JSON)
        .header("authorization", "Bearer secret".to_owned());
    let error = patient().client().bytes(&request).unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
    assert_eq!((start.requests(), other.requests()), (1, 0));
}

#[test]
fn a_web_server_is_no_atproto_host() {
    let page = Server::sending(ok("text/html; charset=utf-8", b"<html>"));
    let error = json(&patient(), &page).unwrap_err();
    assert!(matches!(&error, Error::NotAtproto { came, .. } if came == "an HTML page"), "{error}");
    let other = Server::sending(ok("application/x-\u{1b}evil", b"{}"));
    assert!(json(&patient(), &other).unwrap_err().is_remote());
}

#[test]
fn errors_of_hosts_are_kept() {
    let body = br#"{"error":"RepoNotFound","message":"Could not find repo"}"#;
    let host = Server::sending(with_headers(400, "content-type: application/json\r\n", body));
    let error = json(&patient(), &host).unwrap_err();
    assert_eq!((error.status(), error.host_error()), (Some(400), Some("RepoNotFound")));
    let shown = error.to_string();
    assert!(shown.ends_with(": RepoNotFound: Could not find repo (status 400)"), "{shown}");
    let long = format!(r#"{{"error":"E","message":"{}"}}"#, "x".repeat(9_000));
    let host = Server::sending(with_headers(400, "", long.as_bytes()));
    let error = json(&patient(), &host).unwrap_err();
    assert!(matches!(error, Error::Http { message: Some(message), .. } if message.len() == 2048));
    let endless = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 404 x\r\n\r\n");
        while stream.write_all(&[b' '; 10_000]).is_ok() {}
    });
    let error = json(&patient(), &endless).unwrap_err();
    assert!(matches!(error, Error::Http { status: 404, error: None, .. }), "{error}");
}

#[test]
fn json_of_another_form() {
    let host = Server::sending(ok("application/json", b"{\"did\":7}"));
    let error = describe_server(patient().client(), &host.host).unwrap_err();
    assert!(matches!(&error, Error::Answer { url, .. } if url.contains("describeServer")));
    let deep = Server::sending(ok("application/json", "[".repeat(100_000).as_bytes()));
    assert!(matches!(json(&patient(), &deep), Err(Error::Answer { .. })));
}

#[test]
fn a_host_that_is_not_admitted_is_not_asked() {
    let host = Server::sending(ok("application/json", b"{}"));
    let mut refusing = options();
    refusing.private_addresses = PrivateAddresses::Refuse;
    let error = json(&Net::new(refusing).unwrap(), &host).unwrap_err();
    assert!(matches!(error, Error::Address { .. }), "{error}");
    assert_eq!(host.requests(), 0);
    assert!(json(&admitting(&host), &host).is_ok());
}

#[test]
fn a_head_request_has_no_body() {
    let host = Server::sending("HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n");
    let request = Request::get(&host.host, "/x", Bounds::blob(10)).head();
    let response = patient().client().send(&request).unwrap();
    assert_eq!(response.header("content-length"), Some("9999999999"));
    assert!(response.into_body().into_bytes().unwrap().is_empty());
}
