//! A connection to an event stream that is opened again when it breaks.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::limits::LONGEST_PAUSE;
use crate::net::Client;
use crate::progress::{Progress, Report};
use crate::retry;
use crate::socket::{Messages, Socket};

/// A connection to an event stream.
pub(super) struct Connection<'a> {
    client: Client<'a>,
    report: Report<'a>,
    server: Host,
    messages: Messages,
    socket: Option<(Socket, Instant)>,
    /// Whether the server was reached once. A server that was reached may fail for a while, and work again.
    was_open: bool,
    /// The connections since one that lasted.
    tries: u32,
    /// Why the last connection ended.
    why: String,
    /// Whether the server did not accept the last request for a connection.
    is_refused: bool,
}

/// What came from a connection.
pub(super) enum Message {
    /// The connection is open.
    Opened,
    /// A message.
    Bytes(Vec<u8>),
    /// Nothing for a second, or the connection broke.
    Nothing,
    /// The server could not be reached.
    Unreached,
}

impl<'a> Connection<'a> {
    /// Names a server. It is not dialled yet.
    pub(super) fn new(
        (client, report): (Client<'a>, Report<'a>),
        server: Host,
        messages: Messages,
    ) -> Self {
        let (socket, why) = (None, String::new());
        Self {
            client,
            report,
            server,
            messages,
            socket,
            was_open: false,
            tries: 0,
            why,
            is_refused: false,
        }
    }

    /// Waits for a message. A connection that is closed is opened again, at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`], and the fault of a server that was never reached if it will not pass.
    pub(super) fn next(&mut self, path: &str) -> Result<Message> {
        let server = self.socket.is_some().then(|| self.server.clone());
        if (self.report)(Progress::Following { server }).is_break() {
            return Err(Error::Stopped);
        }
        let Some((socket, _)) = &mut self.socket else { return self.open(path) };
        match socket.next() {
            Ok(Some(bytes)) => Ok(Message::Bytes(bytes)),
            Ok(None) => Ok(Message::Nothing),
            Err(error) => {
                self.close(&error.to_string());
                Ok(Message::Nothing)
            }
        }
    }

    fn open(&mut self, path: &str) -> Result<Message> {
        if self.tries > 0 {
            self.pause()?;
        }
        match Socket::open(self.client, &self.server, path, self.messages) {
            Ok(socket) => {
                (self.socket, self.was_open) = (Some((socket, Instant::now())), true);
                Ok(Message::Opened)
            }
            Err(error @ Error::Stopped) => Err(error),
            Err(error) if !self.was_open && !self.may_pass(&error) => Err(error),
            Err(error) => {
                self.is_refused = error.status() == Some(400);
                self.close(&error.to_string());
                Ok(Message::Unreached)
            }
        }
    }

    /// Returns whether an error may pass. A server may refuse a cursor that it has never given.
    fn may_pass(&self, error: &Error) -> bool {
        error.is_retryable() || (error.status() == Some(400) && !self.is_refused)
    }

    /// Returns whether the server did not accept the last request for a connection.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Ends the connection. The next message opens it again.
    pub(super) fn close(&mut self, why: &str) {
        if self.socket.take().is_some_and(|(_, opened)| opened.elapsed() > LONGEST_PAUSE) {
            self.tries = 0;
        }
        self.why = why.to_owned();
        self.tries = self.tries.saturating_add(1);
    }

    fn pause(&self) -> Result<()> {
        let after = retry::pause(self.tries, self.client.random());
        let step = || Progress::Retrying {
            host: self.server.clone(),
            try_number: self.tries.saturating_add(1),
            after,
            error: self.why.clone(),
        };
        self.client.pause(after, &step)
    }
}

/// A feed that has no connection: it wakes up once a second.
pub(super) fn tick(client: Client<'_>) -> Result<()> {
    client.pause(Duration::from_secs(1), &|| Progress::Following { server: None })
}
