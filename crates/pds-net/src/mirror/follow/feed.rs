//! What arrives for a group of mirrors, whatever it is that is followed.

use pds_core::sync::error::FrameError;
use pds_core::sync::event::Event;
use pds_core::sync::frame::Frame;

use crate::error::Result;
use crate::mirror::follow::arrival::Arrival;
use crate::mirror::follow::connection::{Connection, Message, tick};
use crate::mirror::follow::followed::EventRefused;
use crate::mirror::follow::jetstream::Jetstream;
use crate::net::Client;

/// What is followed.
pub(super) enum Feed<'a> {
    /// The event stream of a host or of a relay.
    Events(EventFeed<'a>),
    /// The events of a Jetstream server.
    Jetstream(Jetstream<'a>),
    /// No events.
    Clock(Client<'a>),
}

impl Feed<'_> {
    /// Waits for about a second.
    pub(super) fn next(&mut self) -> Result<Arrival> {
        match self {
            Self::Events(events) => events.next(),
            Self::Jetstream(jetstream) => jetstream.next(),
            Self::Clock(client) => tick(*client).map(|()| Arrival::Nothing),
        }
    }

    /// Returns the sequence number of the last event, if the stream has them.
    pub(super) fn seq(&self) -> Option<u64> {
        match self {
            Self::Events(events) => events.last,
            Self::Jetstream(_) | Self::Clock(_) => None,
        }
    }
}

/// The event stream of a host or of a relay.
pub(super) struct EventFeed<'a> {
    connection: Connection<'a>,
    /// The sequence number of the last event.
    last: Option<u64>,
    /// The unreadable messages since the last event.
    unreadable: u32,
}

impl<'a> EventFeed<'a> {
    /// Begins after an event, or with the next one.
    pub(super) fn new(connection: Connection<'a>, after: Option<u64>) -> Self {
        Self { connection, last: after, unreadable: 0 }
    }

    fn next(&mut self) -> Result<Arrival> {
        let path = match self.last {
            Some(last) => format!("{SUBSCRIBE}?cursor={last}"),
            None => SUBSCRIBE.to_owned(),
        };
        Ok(match self.connection.next(&path)? {
            Message::Opened => Arrival::Opened { has_gap: self.last.is_none() },
            Message::Bytes(bytes) => self.read(&bytes),
            Message::Nothing => Arrival::Nothing,
            Message::Unreached => {
                if self.connection.is_refused() {
                    // The number may not be one of this server.
                    self.last = None;
                }
                Arrival::Gap
            }
        })
    }

    fn read(&mut self, frame: &[u8]) -> Arrival {
        match Frame::decode(frame) {
            Ok(Frame::Event(Event::Info(info))) if info.name == OUTDATED_CURSOR => Arrival::Gap,
            Ok(Frame::Event(event)) => match self.follows(event.seq()) {
                Ok(()) => Arrival::Event(event),
                Err(why) => Arrival::Refused(event.did().cloned(), why),
            },
            Ok(Frame::Unknown { seq, .. }) => match self.follows(seq) {
                Ok(()) => Arrival::Nothing,
                Err(why) => Arrival::Refused(None, why),
            },
            Ok(Frame::Error { name, message }) => {
                if name == FUTURE_CURSOR {
                    // The host counts from the beginning again. The next connection begins with the present.
                    self.last = None;
                }
                self.connection.close(&format!("{name}: {}", message.unwrap_or_default()));
                Arrival::Nothing
            }
            Err(error) => self.unreadable(&error),
        }
    }

    fn unreadable(&mut self, error: &FrameError) -> Arrival {
        let did = error.did().cloned();
        self.unreadable += 1;
        if self.unreadable > MAX_UNREADABLE {
            self.unreadable = 0;
            self.connection.close("too many messages that are not events");
        }
        match self.follows(error.seq()) {
            Ok(()) => Arrival::Refused(did, EventRefused::Unreadable(error.to_string())),
            Err(why) => Arrival::Refused(did, why),
        }
    }

    /// Checks that a sequence number is greater than the last one. Otherwise the connection ends, and the server says
    /// at the next one what the last number means to it.
    fn follows(&mut self, seq: Option<u64>) -> Result<(), EventRefused> {
        let Some(seq) = seq else { return Ok(()) };
        let last = self.last.unwrap_or_default();
        if seq <= last || seq > MAX_SEQ {
            let why = EventRefused::Sequence { seq, last };
            self.connection.close(&why.to_string());
            return Err(why);
        }
        (self.last, self.unreadable) = (Some(seq), 0);
        Ok(())
    }
}

const SUBSCRIBE: &str = "/xrpc/com.atproto.sync.subscribeRepos";

/// The server no longer has all events since the cursor.
const OUTDATED_CURSOR: &str = "OutdatedCursor";

/// The server has no event with the number of the cursor yet.
const FUTURE_CURSOR: &str = "FutureCursor";

/// The most unreadable messages in a row. A server that sends more of them is left, and dialled again after a pause.
const MAX_UNREADABLE: u32 = 100;

/// The largest sequence number: JSON readers take no greater ones.
const MAX_SEQ: u64 = (1 << 53) - 1;
