//! `pds get`

use std::io::Write;

use anyhow::{Context, Result};
use pds::syntax::AtUri;
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::open::{Place, RecordArg};
use crate::output::Output;

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
    at: Option<String>,

    /// Write the exact bytes of the record
    #[arg(long, conflicts_with = "json")]
    cbor: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let snapshot = place.snapshot(self.at.as_deref())?;
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
            let uri = AtUri::record(did, path);
            let cid = record.cid().to_string();
            out.json(&json!({ "uri": uri.as_str(), "cid": cid, "value": value }))?;
        } else {
            out.line(&value.to_json_pretty())?;
        }
        Ok(Exit::Done)
    }
}
