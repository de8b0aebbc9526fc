//! Requests and replies on a socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A request of the client.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path with the query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads a request with its body. None if the client has left.
    pub(crate) fn read(from: &TcpStream) -> io::Result<Option<Self>> {
        let mut from = BufReader::new(from);
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(io::Error::other(format!("no request: {line:?}")));
        };
        let mut headers = Vec::new();
        loop {
            line.clear();
            from.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, length)| length.parse().unwrap());
        let mut body = Vec::new();
        from.take(length).read_to_end(&mut body)?;
        Ok(Some(Self { method, path, headers, body }))
    }

    /// Returns whether the client asks for a WebSocket.
    pub(crate) fn is_upgrade(&self) -> bool {
        let is_wanted = |value: &str| value.eq_ignore_ascii_case("websocket");
        self.headers.iter().any(|(name, value)| name == "upgrade" && is_wanted(value))
    }
}

/// A reply: what is sent, and how it ends.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Box<dyn Read>,
    /// The length that the reply names. Without one, the body has chunks.
    pub(crate) length: Option<u64>,
    pub(crate) ending: Ending,
    pub(crate) pace: Option<(usize, Duration)>,
}

/// How the body of a reply ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    /// As a complete body does.
    Complete,
    /// With the connection.
    Cut,
    /// Not at all: the client leaves first.
    Stall,
}

impl Reply {
    /// Sends the reply, and asks before each piece of the body how many bytes of it may be sent.
    pub(crate) fn send(
        self,
        mut to: &TcpStream,
        has_body: bool,
        mut allow: impl FnMut(usize) -> usize,
    ) -> io::Result<Ending> {
        to.write_all(self.head().as_bytes())?;
        let mut body = if has_body { self.body } else { Box::new(io::empty()) };
        let is_chunked = self.length.is_none();
        let (most, pause) = self.pace.unwrap_or((16 << 10, Duration::ZERO));
        let mut piece = vec![0; most];
        loop {
            let read = body.read(&mut piece)?;
            if read == 0 {
                break;
            }
            let allowed = allow(read);
            send_piece(to, &piece[..allowed], is_chunked)?;
            if allowed < read {
                return Ok(Ending::Stall);
            }
            std::thread::sleep(pause);
        }
        if has_body && is_chunked && self.ending == Ending::Complete {
            to.write_all(b"0\r\n\r\n")?;
        }
        Ok(self.ending)
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Status\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let length = self.length.map(|length| format!("content-length: {length}\r\n\r\n"));
        head + &length.unwrap_or_else(|| "transfer-encoding: chunked\r\n\r\n".to_owned())
    }
}

fn send_piece(mut to: &TcpStream, bytes: &[u8], is_chunked: bool) -> io::Result<()> {
    if !is_chunked || bytes.is_empty() {
        return to.write_all(bytes);
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    to.write_all(&chunk)
}

/// Waits until the client closes the connection, or for the time of the read timeout.
pub(crate) fn wait_for_end(mut of: &TcpStream) {
    while matches!(of.read(&mut [0; 1 << 10]), Ok(1..)) {}
}

/// The headers that belong to one connection or to the encoding of its body.
pub(crate) const OWN: [&str; 6] =
    ["host", "connection", "keep-alive", "accept-encoding", "content-length", "transfer-encoding"];

/// A client that waits longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
