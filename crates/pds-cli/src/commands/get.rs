//! `pds get`

use std::io::Write;

use anyhow::{Context, Result};

use crate::answers::get::RecordAnswer;
use crate::arguments::record::uri_of;
use crate::arguments::record_at::RecordAtArg;
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::records::json_form::check_json_form;
use crate::repository::open::Place;
use crate::screens::get as screen;

/// Print a record
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds get app.bsky.actor.profile/self\n  pds -R backup.car get app.bsky.actor.profile/self --json"
)]
pub(crate) struct Args {
    /// Record: collection/rkey, an at-uri or a bsky.app URL; REV:PATH reads it in a state
    #[arg(value_name = "PATH")]
    path: RecordAtArg,

    /// State to read (see pds help revisions)
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// Write the exact bytes of the record
    #[arg(long, conflicts_with = "json")]
    cbor: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let at = self.path.state(self.at)?;
        let snapshot = place.snapshot(at.as_ref())?;
        let path = self.path.record.path_in(place.account(snapshot.commit().known_did()))?;
        let Some(record) = snapshot.find(path)? else {
            return Stated::no("not-found", format!("no record {path}")).hint(LISTS).fail();
        };
        if self.cbor {
            out.bytes().write_all(record.block.bytes())?;
            return Ok(Exit::Done);
        }
        let undecodable = || format!("record {path} cannot be decoded; use --cbor for its bytes");
        let value = record.value().with_context(undecodable)?;
        check_json_form(&value, &format!("record {path}"))?;
        if out.terminal().is_some() {
            screen::print(&value, out)?;
            return Ok(Exit::Done);
        }
        out.answer(&RecordAnswer {
            cid: record.cid(),
            uri: uri_of(snapshot.commit(), path),
            value,
        })?;
        Ok(Exit::Done)
    }
}

const LISTS: &str = "pds ls COLLECTION lists the records, and pds log PATH the past of one";
