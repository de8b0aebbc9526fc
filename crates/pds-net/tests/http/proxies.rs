//! The proxy of the user.

use std::io::Write;
use std::sync::{Arc, Mutex};

use pds_net::error::Error;
use pds_net::net::Net;
use pds_net::options::ProxyOptions;
use pds_net::private_addresses::{AddressFault, PrivateAddresses};
use pds_net::request::{Bounds, Request};

use crate::server::{Server, ok, options};

/// A proxy that refuses, and the first lines of its requests.
fn proxy() -> (Server, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let server = Server::start(move |head, stream| {
        seen.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
        let _ = stream.write_all(b"HTTP/1.1 403 no\r\nconnection: close\r\n\r\n");
    });
    (server, lines)
}

fn net(proxy: &Server, private: PrivateAddresses) -> Net {
    let mut options = options();
    options.private_addresses = private;
    let (url, except) = (proxy.host.to_string(), "direct.com".to_owned());
    options.proxy = ProxyOptions::Proxy { url, except };
    Net::new(options).unwrap()
}

fn ask(net: &Net, host: &str) -> Error {
    let host = host.parse().unwrap();
    let request = Request::query(&host, "a.b.c", Bounds::JSON).once();
    net.client().bytes(&request).unwrap_err()
}

#[test]
fn a_proxy_resolves_the_names_of_public_hosts() {
    let (proxy, lines) = proxy();
    let net = net(&proxy, PrivateAddresses::Refuse);
    let error = ask(&net, "https://pds.a-name-that-does-not-exist.com");
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    let wanted = "CONNECT pds.a-name-that-does-not-exist.com:443 HTTP/1.1";
    assert_eq!(*lines.lock().unwrap(), [wanted]);
}

#[test]
fn a_proxy_is_not_asked_for_private_hosts() {
    let (proxy, lines) = proxy();
    let net = net(&proxy, PrivateAddresses::Refuse);
    for (host, wanted) in [
        ("https://10.0.0.1", AddressFault::Private),
        ("https://1.1.1.1", AddressFault::IpLiteral),
        ("https://localhost", AddressFault::ReservedName),
        (proxy.host.to_string().as_str(), AddressFault::Private),
    ] {
        let error = ask(&net, host);
        assert!(matches!(error, Error::Address { fault, .. } if fault == wanted), "{error}");
    }
    assert!(lines.lock().unwrap().is_empty());
}

#[test]
fn a_server_without_tls_is_asked_directly() {
    let (proxy, lines) = proxy();
    let server = Server::sending(ok("application/json", b"{}"));
    let net = net(&proxy, PrivateAddresses::Allow);
    let request = Request::query(&server.host, "a.b.c", Bounds::JSON);
    assert_eq!(net.client().bytes(&request).unwrap(), b"{}");
    assert!(lines.lock().unwrap().is_empty());
}
