//! A WebSocket from the client through the proxy to the host.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{Message, Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

use crate::liar::stream::{Rewrite, Sent};
use crate::liar::wire::{Ending, OWN, PATIENCE, Request};

/// The answer of a host to a client that asks for a WebSocket.
pub(crate) struct Handshake {
    host: TcpStream,
    head: Vec<u8>,
    status: u16,
}

impl Handshake {
    /// Asks the host.
    pub(crate) fn ask(host: &str, request: &Request) -> io::Result<Self> {
        let address = host.trim_start_matches("http://");
        let mut host = TcpStream::connect(address)?;
        host.set_read_timeout(Some(PATIENCE))?;
        host.set_write_timeout(Some(PATIENCE))?;
        let (method, path) = (&request.method, &request.path);
        let mut asked =
            format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\n");
        let kept = request.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        for (name, value) in kept {
            asked += &format!("{name}: {value}\r\n");
        }
        host.write_all((asked + "\r\n").as_bytes())?;
        let head = read_head(&host)?;
        let text = String::from_utf8_lossy(&head);
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer: {text:?}")))?;
        Ok(Self { host, head, status })
    }

    /// Returns the status of the answer.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Sends the answer of the host to the client, and then the messages of the host as the rule changes them. Asks
    /// before each message how many bytes of it may be sent.
    pub(crate) fn relay(
        self,
        mut client: &TcpStream,
        rewrite: &Rewrite,
        mut allow: impl FnMut(usize) -> usize,
    ) -> io::Result<Ending> {
        client.write_all(&self.head)?;
        if self.status != 101 {
            io::copy(&mut &self.host, &mut client)?;
            return Ok(Ending::Complete);
        }
        self.host.set_read_timeout(Some(TURN))?;
        client.set_read_timeout(Some(TURN))?;
        let mut host = WebSocket::from_raw_socket(&self.host, Role::Client, Some(unbounded()));
        let mut client = WebSocket::from_raw_socket(client, Role::Server, Some(unbounded()));
        let mut number = 0;
        loop {
            let (bytes, kind) = match host.read() {
                Ok(Message::Binary(bytes)) => (bytes.to_vec(), Data::Binary),
                Ok(Message::Text(text)) => (text.as_bytes().to_vec(), Data::Text),
                Ok(Message::Close(frame)) => {
                    // The client may have left.
                    let _ = client.close(frame);
                    return Ok(Ending::Complete);
                }
                Ok(_) => continue,
                Err(error) if is_pause(&error) => {
                    listen(&mut client)?;
                    continue;
                }
                Err(error) => return Err(io::Error::other(error)),
            };
            for sent in rewrite(number, bytes) {
                let parts = match sent {
                    Sent::Message(bytes) => vec![bytes],
                    Sent::Fragments(parts) => parts,
                    Sent::Cut => return Ok(Ending::Cut),
                    Sent::Stall => return Ok(Ending::Stall),
                };
                let total = parts.iter().map(Vec::len).sum();
                if allow(total) < total {
                    return Ok(Ending::Stall);
                }
                send(&mut client, parts, kind).map_err(io::Error::other)?;
            }
            number += 1;
        }
    }
}

/// Reads what the client sends, until it pauses. Pings are answered.
fn listen(client: &mut WebSocket<&TcpStream>) -> io::Result<()> {
    loop {
        match client.read() {
            Ok(_) => {}
            Err(error) if is_pause(&error) => return Ok(()),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

/// Sends one message in these frames.
fn send(client: &mut WebSocket<&TcpStream>, parts: Vec<Vec<u8>>, kind: Data) -> Result<(), Error> {
    let last = parts.len() - 1;
    for (at, part) in parts.into_iter().enumerate() {
        let kind = if at == 0 { kind } else { Data::Continue };
        client.write(Message::Frame(Frame::message(part, OpCode::Data(kind), at == last)))?;
    }
    client.flush()
}

/// Reads the head of an answer, and nothing after it.
fn read_head(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

/// A proxy that lies has no bounds.
fn unbounded() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(None).max_frame_size(None)
}

fn is_pause(error: &Error) -> bool {
    let is_pause = |kind| matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    matches!(error, Error::Io(error) if is_pause(error.kind()))
}

/// The time to listen to one side before the other.
const TURN: Duration = Duration::from_millis(5);
