//! A Jetstream server: events as JSON, without signatures.

use std::collections::BTreeSet;

use pds_core::syntax::did::Did;
use serde::Deserialize;

use crate::error::Result;
use crate::mirror::follow::arrival::Arrival;
use crate::mirror::follow::connection::{Connection, Message};
use crate::mirror::follow::followed::EventRefused;
use crate::xrpc::parsed;

/// The events of a Jetstream server.
pub(super) struct Jetstream<'a> {
    connection: Connection<'a>,
    path: String,
}

/// An event, as far as it is read.
#[derive(Deserialize)]
struct ChangedAccount {
    #[serde(deserialize_with = "parsed::text")]
    did: Did,
}

impl<'a> Jetstream<'a> {
    /// Asks for the events of some accounts; for those of all accounts, if they are too many for one request.
    pub(super) fn new(connection: Connection<'a>, dids: &BTreeSet<&Did>) -> Self {
        let mut path = SUBSCRIBE.to_owned();
        if dids.len() <= MAX_WANTED {
            for (number, did) in dids.iter().enumerate() {
                path.push(if number == 0 { '?' } else { '&' });
                path += "wantedDids=";
                // The port of a did:web is escaped in the DID already.
                path += &did.as_str().replace('%', "%25");
            }
        }
        Self { connection, path }
    }

    pub(super) fn next(&mut self) -> Result<Arrival> {
        Ok(match self.connection.next(&self.path)? {
            // The time of an event is no proof that nothing came before it.
            Message::Opened => Arrival::Opened { has_gap: true },
            Message::Bytes(bytes) => match serde_json::from_slice::<ChangedAccount>(&bytes) {
                Ok(event) => Arrival::Changed(event.did),
                Err(error) => Arrival::Refused(None, EventRefused::Unreadable(error.to_string())),
            },
            Message::Nothing => Arrival::Nothing,
            Message::Unreached => Arrival::Gap,
        })
    }
}

const SUBSCRIBE: &str = "/subscribe";

/// The accounts that one request names. A line of a request has 8 KiB, and a DID some 40 bytes.
const MAX_WANTED: usize = 100;
