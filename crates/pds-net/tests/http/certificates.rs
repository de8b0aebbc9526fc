//! Servers whose certificate is not trusted, has another name, or has expired.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use data_encoding::BASE64;
use pds_net::error::Error;
use pds_net::host::Host;
use pds_net::net::Net;
use pds_net::request::{Bounds, Form, Request};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::server::{ok, options};

/// A certificate that signs itself, and its key.
struct SelfSigned {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl SelfSigned {
    /// Makes a certificate of a name, which ends with a year.
    fn new(name: &str, until: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &key, &random).unwrap();
        let signed_with = der(SEQUENCE, &[&der(OID, &[&ECDSA_WITH_SHA256])]);
        let common_name =
            der(SEQUENCE, &[&der(OID, &[&COMMON_NAME]), &der(UTF8, &[name.as_bytes()])]);
        let named = der(SEQUENCE, &[&der(SET, &[&common_name])]);
        let time = |year: &str| der(UTC_TIME, &[year.as_bytes(), b"0101000000Z"]);
        let kind = der(SEQUENCE, &[&der(OID, &[&EC_PUBLIC_KEY]), &der(OID, &[&P256])]);
        let names = der(SEQUENCE, &[&der(DNS_NAME, &[name.as_bytes()])]);
        let names = [der(OID, &[&ALTERNATIVE_NAMES]), der(OCTETS, &[&names])];
        let names = der(SEQUENCE, &[&names[0], &names[1]]);
        let unsigned = der(
            SEQUENCE,
            &[
                &der(VERSION, &[&der(INTEGER, &[&[2]])]),
                &der(INTEGER, &[&[1]]),
                &signed_with,
                &named,
                &der(SEQUENCE, &[&time("20"), &time(until)]),
                &named,
                &der(SEQUENCE, &[&kind, &der(BITS, &[&[0], pair.public_key().as_ref()])]),
                &der(EXTENSIONS, &[&der(SEQUENCE, &[&names])]),
            ],
        );
        let signature = pair.sign(&random, &unsigned).unwrap();
        let signature = der(BITS, &[&[0], signature.as_ref()]);
        Self { certificate: der(SEQUENCE, &[&unsigned, &signed_with, &signature]), key }
    }

    /// Starts a server with this certificate, which answers each request with `abc`.
    fn serve(&self) -> Host {
        let certificate = CertificateDer::from(self.certificate.clone());
        let key = PrivatePkcs8KeyDer::from(self.key.clone()).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that does not trust the server leaves during the handshake.
                let _ = answer(Arc::clone(&config), stream);
            }
        });
        format!("https://localhost:{port}").parse().unwrap()
    }

    /// Writes the certificate to a file.
    fn file(&self, dir: &tempfile::TempDir) -> PathBuf {
        let path = dir.path().join("trusted.pem");
        let text = BASE64.encode(&self.certificate);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        fs::write(&path, pem).unwrap();
        path
    }
}

fn answer(config: Arc<ServerConfig>, stream: TcpStream) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut stream = reader.into_inner();
    stream.write_all(&ok("a/b", b"abc"))?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn fetch(host: &Host, certificates: Option<PathBuf>) -> Result<Vec<u8>, Error> {
    let mut options = options();
    options.certificates = certificates;
    let bounds = Bounds { what: "the test", form: Form::Any, max_bytes: 100, ..Bounds::JSON };
    Net::new(options).unwrap().client().bytes(&Request::get(host, "/x", bounds).once())
}

#[test]
fn a_certificate_needs_trust_the_name_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let good = SelfSigned::new("localhost", "49");
    let host = good.serve();
    assert_eq!(fetch(&host, Some(good.file(&dir))).unwrap(), b"abc");

    let other = SelfSigned::new("other.example.com", "49");
    let old = SelfSigned::new("localhost", "21");
    for (host, trusted, reason) in [
        (host, None, "invalid peer certificate"),
        (good.serve(), Some(&other), "UnknownIssuer"),
        (other.serve(), Some(&other), "not valid for name"),
        (old.serve(), Some(&old), "expired"),
    ] {
        let refused = fetch(&host, trusted.map(|trusted| trusted.file(&dir))).unwrap_err();
        assert!(matches!(refused, Error::Untrusted { .. }), "{refused:?}");
        let said = refused.to_string();
        assert!(said.starts_with(&format!("{host} has no trusted connection: ")), "{said}");
        assert!(said.contains(reason), "{reason}: {said}");
    }
}

#[test]
fn a_server_without_tls_is_not_trusted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        // The client leaves.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let refused = fetch(&host.parse().unwrap(), None).unwrap_err();
    assert!(matches!(refused, Error::Untrusted { .. }), "{refused:?}");
}

/// Encodes a value of ASN.1 with some parts.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap();
    let head = match u8::try_from(length) {
        Ok(short @ 0..=127) => vec![tag, short],
        Ok(byte) => vec![tag, 0x81, byte],
        Err(_) => [&[tag, 0x82][..], &length.to_be_bytes()].concat(),
    };
    [head, content].concat()
}

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const DNS_NAME: u8 = 0x82;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

const ECDSA_WITH_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
const ALTERNATIVE_NAMES: [u8; 3] = [0x55, 29, 17];
