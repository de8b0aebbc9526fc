//! A server on loopback that answers each request as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pds_net::host::Host;
use pds_net::net::Net;
use pds_net::options::{NetOptions, Patience, ProxyOptions};
use pds_net::private_addresses::PrivateAddresses;

/// A server that runs until the test ends.
pub(crate) struct Server {
    pub(crate) host: Host,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server. The function gets the head of each request and the connection.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (answer, counted) = (Arc::new(answer), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, counted) = (Arc::clone(&answer), Arc::clone(&counted));
                thread::spawn(move || {
                    if let Some((head, mut stream)) = read_request(stream) {
                        counted.fetch_add(1, Ordering::SeqCst);
                        answer(&head, &mut stream);
                    }
                });
            }
        });
        Self { host, requests }
    }

    /// Starts a server that sends the same bytes to each request and closes the connection.
    pub(crate) fn sending(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |_, stream| drop(stream.write_all(&bytes)))
    }

    /// Returns the number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn read_request(stream: TcpStream) -> Option<(String, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, reader.into_inner()))
}

/// Returns an answer with a length.
pub(crate) fn ok(content_type: &str, body: &[u8]) -> Vec<u8> {
    with_headers(200, &format!("content-type: {content_type}\r\n"), body)
}

/// Returns an answer with a length and further headers.
pub(crate) fn with_headers(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} x\r\n{headers}connection: close\r\n");
    let head = format!("{head}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Returns options that admit the private addresses, for a machine with or without a proxy.
pub(crate) fn options() -> NetOptions {
    let mut options = NetOptions::default();
    options.private_addresses = PrivateAddresses::Allow;
    options.proxy = ProxyOptions::Direct;
    options
}

/// Returns a client that waits long.
pub(crate) fn patient() -> Net {
    Net::new(options()).unwrap()
}

/// Returns a client that waits for a moment only.
pub(crate) fn impatient() -> Net {
    let mut options = options();
    let moment = Duration::from_millis(300);
    options.patience = Patience {
        first_byte: moment,
        between_bytes: moment,
        pace_window: moment,
        ..Patience::default()
    };
    Net::new(options).unwrap()
}
