//! WebSockets: the handshake, and messages with a bounded size, pace and silence.
//!
//! The connection is dialled as those of other requests: the same addresses, certificates and proxy. No extension is
//! offered, so there is no compression. Redirects are not followed.
//!
//! A message that is too large or of the wrong kind, a host that is too slow or silent, and a closed connection end the
//! socket with an error. The caller opens another one.

use std::io;
use std::time::{Duration, Instant};

use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tungstenite::{Error as FrameError, WebSocket, error::ProtocolError};

use crate::error::{Error, Result};
use crate::frame_io::{FrameIo, too_large};
use crate::host::Host;
use crate::limits::{MAX_MESSAGE_BYTES, MESSAGE_WAIT};
use crate::net::Client;
use crate::request::{Bounds, Request};
use crate::response::Response;

/// The kind of the messages of a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// Bytes.
    Binary,
    /// Text in UTF-8.
    Text,
}

/// An open WebSocket to a host.
#[derive(Debug)]
pub struct Socket {
    frames: WebSocket<FrameIo>,
    messages: Messages,
    /// The time spent waiting since the last message or pong.
    silence: Duration,
    /// The silence after which the next ping is sent.
    next_ping: Duration,
    is_over: bool,
}

impl Socket {
    /// Opens `wss://HOST/PATH`, or `ws://HOST/PATH` if the URL of the host is `http:`.
    ///
    /// The path begins with a slash and has the parameters. The request is sent once.
    ///
    /// # Errors
    ///
    /// As for [`Client::send`], and [`Error::Redirect`] for a redirect, [`Error::NotAtproto`] if the answer is a page,
    /// [`Error::Answer`] if the handshake is not valid.
    pub fn open(client: Client<'_>, host: &Host, path: &str, messages: Messages) -> Result<Self> {
        let key = generate_key();
        let request = Request::get(host, path, Bounds::JSON)
            .once()
            .header("connection", "Upgrade".to_owned())
            .header("upgrade", "websocket".to_owned())
            .header("sec-websocket-version", "13".to_owned())
            .header("sec-websocket-key", key.clone());
        let (response, transport) = client.upgrade(&request)?;
        let url = response.url().to_owned();
        let Some(transport) = transport else {
            return Err(Error::NotAtproto { url, came: "no WebSocket".to_owned() });
        };
        check(&response, &key).map_err(|reason| Error::Answer { url: url.clone(), reason })?;
        let patience = client.net().options().patience;
        let io = FrameIo::new(transport, url, patience, client.counters());
        let config = WebSocketConfig::default()
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let frames = WebSocket::from_raw_socket(io, Role::Client, Some(config));
        let (silence, next_ping) = (Duration::ZERO, patience.ping_after);
        Ok(Self { frames, messages, silence, next_ping, is_over: false })
    }

    /// Returns the next message, or `None` if none came for a second, so that the caller can stop.
    ///
    /// # Errors
    ///
    /// - [`Error::Bound`]: the message is larger than [`MAX_MESSAGE_BYTES`].
    /// - [`Error::Answer`]: it is of the other kind, or not a WebSocket message.
    /// - [`Error::Stalled`]: no message or pong arrives, or the message arrives too slowly.
    /// - [`Error::Closed`] and [`Error::Cut`]: the connection ended. After any error, the socket stays closed.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would end at a second without a message"
    )]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.is_over {
            return Err(self.closed("it ended earlier"));
        }
        let next = self.read();
        self.is_over = next.is_err();
        next
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let started = Instant::now();
        let until = started + MESSAGE_WAIT;
        self.frames.get_mut().wait_until(until);
        loop {
            self.frames.get_mut().send_held_pong()?;
            match self.frames.read() {
                Ok(message) => {
                    if let Some(bytes) = self.accept(message)? {
                        return Ok(Some(bytes));
                    }
                }
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(self.fault(error)),
            }
            let waited = started.elapsed();
            if waited >= MESSAGE_WAIT {
                self.silence += waited;
                self.keep_alive()?;
                return Ok(None);
            }
        }
    }

    /// Returns the bytes of a message of the right kind, or `None` for a ping or pong.
    fn accept(&mut self, message: Message) -> Result<Option<Vec<u8>>> {
        let bytes = match (message, self.messages) {
            (Message::Binary(bytes), Messages::Binary) => bytes,
            (Message::Text(text), Messages::Text) => text.into(),
            (Message::Binary(_), Messages::Text) => {
                return Err(self.wrong("it sent bytes instead of text"));
            }
            (Message::Text(_), Messages::Binary) => {
                return Err(self.wrong("it sent text instead of bytes"));
            }
            (Message::Ping(payload), _) => {
                self.frames.get_mut().finish_control(payload.len());
                return Ok(None);
            }
            (Message::Pong(payload), _) => {
                self.frames.get_mut().finish_control(payload.len());
                self.hear();
                return Ok(None);
            }
            (Message::Close(frame), _) => {
                // The answer is a courtesy.
                let _ = self.frames.flush();
                return Err(self.closed(&reason(frame)));
            }
            // The library gives raw frames to writers only.
            (Message::Frame(_), _) => return Ok(None),
        };
        self.frames.get_mut().finish_message();
        self.hear();
        Ok(Some(bytes.into()))
    }

    /// Notes that the host is alive.
    fn hear(&mut self) {
        self.silence = Duration::ZERO;
        self.next_ping = self.frames.get_ref().patience().ping_after;
    }

    /// Ends a silent connection, and asks an idle one for a pong.
    fn keep_alive(&mut self) -> Result<()> {
        let patience = self.frames.get_ref().patience();
        if self.silence >= patience.silence {
            let (url, after) = (self.frames.get_ref().url(), patience.silence);
            return Err(Error::Stalled { url, what: "no message or pong arrived", after });
        }
        if self.silence >= self.next_ping {
            self.next_ping = self.silence + patience.ping_after;
            let sent = self.frames.send(Message::Ping(Vec::new().into()));
            sent.map_err(|error| self.fault(error))?;
        }
        Ok(())
    }

    /// Says what ended the connection.
    fn fault(&self, error: FrameError) -> Error {
        let io = self.frames.get_ref();
        match error {
            FrameError::Io(error) => error.into(),
            FrameError::Capacity(_) => too_large(io.url()),
            FrameError::ConnectionClosed
            | FrameError::AlreadyClosed
            | FrameError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => io.cut(),
            error => self.wrong(&error.to_string()),
        }
    }

    fn wrong(&self, reason: &str) -> Error {
        Error::Answer { url: self.frames.get_ref().url(), reason: reason.to_owned() }
    }

    fn closed(&self, reason: &str) -> Error {
        Error::Closed { url: self.frames.get_ref().url(), reason: reason.to_owned() }
    }
}

/// Returns the reason that a host gave for closing the connection.
fn reason(frame: Option<CloseFrame>) -> String {
    match frame {
        None => "it gave no reason".to_owned(),
        Some(frame) if frame.reason.is_empty() => format!("code {}", frame.code),
        Some(frame) => format!("code {}, {}", frame.code, frame.reason),
    }
}

/// Checks that an answer agrees to this handshake, without extensions.
fn check(response: &Response, key: &str) -> Result<(), String> {
    let has = |name, wanted: &str| {
        let is_wanted = |part: &str| part.trim().eq_ignore_ascii_case(wanted);
        response.header(name).is_some_and(|value| value.split(',').any(is_wanted))
    };
    let accept = response.header("sec-websocket-accept").map(str::trim);
    if !has("upgrade", "websocket") || !has("connection", "upgrade") {
        return Err("it changed to another protocol than WebSocket".to_owned());
    }
    if accept != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err("its Sec-WebSocket-Accept does not belong to our key".to_owned());
    }
    let extra = ["sec-websocket-extensions", "sec-websocket-protocol"];
    match extra.into_iter().find(|name| response.header(name).is_some()) {
        Some(name) => Err(format!("it has the header {name}, for which we did not ask")),
        None => Ok(()),
    }
}
