//! `pds get`

use std::io::Write;

use anyhow::{Context, Result};
use pds::data::{Cid, Value};
use pds::syntax::AtUri;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::failure::{Exit, Stated};
use crate::open::{Place, RecordArg};
use crate::output::Output;
use crate::state::StateArg;

/// Read a record
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds get app.bsky.actor.profile/self\n  pds -R backup.car get app.bsky.actor.profile/self --json"
)]
pub(crate) struct Args {
    /// collection/rkey or an at-uri
    path: RecordArg,

    /// The state to read: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Write the exact bytes of the record
    #[arg(long, conflicts_with = "json")]
    cbor: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let snapshot = place.snapshot(self.at.as_ref())?;
        let did = snapshot.commit().did();
        let path = self.path.path_in(did)?;
        let Some(record) = snapshot.find(path)? else {
            return Err(Stated::no("not-found", format!("no record {path}")).into());
        };
        if self.cbor {
            out.bytes().write_all(record.block.bytes())?;
            return Ok(Exit::Done);
        }
        let undecodable = || format!("record {path} cannot be decoded; --cbor gives its bytes");
        let value = record.value().with_context(undecodable)?;
        if out.is_json() {
            out.json(&Answer { uri: AtUri::record(did, path), cid: record.cid(), value })?;
        } else {
            out.json_pretty(&value)?;
        }
        Ok(Exit::Done)
    }
}

/// Written as it is: a record may be large, and a copy of it in JSON larger.
struct Answer {
    uri: AtUri,
    cid: Cid,
    value: Value,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("cid", &self.cid)?;
        map.serialize_entry("uri", self.uri.as_str())?;
        map.serialize_entry("value", &self.value)?;
        map.end()
    }
}
