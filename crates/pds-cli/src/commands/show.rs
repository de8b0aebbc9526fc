//! `pds show`

use std::ffi::{OsStr, OsString};
use std::io::Write;

use anyhow::{Context, Result};
use pds::data::{Cid, Codec, Value};

use crate::failure::{Exit, Stated};
use crate::open::{Place, RecordArg, Source};
use crate::output::Output;
use crate::state::StateArg;

/// Show any block, decoded
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds show bafyrei…\n  pds show HEAD")]
pub(crate) struct Args {
    /// The block: a commit, a tree node or a record; or the commit of a state: a ref, a rev, HEAD~2
    #[arg(value_name = "CID|REV")]
    what: OsString,

    /// Write the exact bytes of the block
    #[arg(long, conflicts_with = "json")]
    cbor: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let named = self.what.to_str();
        let block = match named.and_then(|text| text.parse::<Cid>().ok()) {
            Some(cid) => {
                let found = match place.source()? {
                    Source::Repo(repo) => repo.store().clone().get(&cid)?,
                    Source::Car(car) => pds::data::Blocks::get(car.as_ref(), &cid)?,
                };
                found.ok_or_else(|| Stated::no("not-found", format!("no block {cid} here")))?
            }
            None => match state(&self.what).and_then(|state| place.snapshot(Some(&state))) {
                Err(error) if named.is_some_and(|text| text.parse::<RecordArg>().is_ok()) => {
                    return Err(Stated::no("not-found", format!("{error:#}"))
                        .hint("pds get PATH prints a record")
                        .into());
                }
                snapshot => snapshot?.commit().block().clone(),
            },
        };
        if self.cbor {
            out.bytes().write_all(block.bytes())?;
            return Ok(Exit::Done);
        }
        let value = match block.cid().codec() {
            Codec::Raw => Value::from(block.bytes()),
            Codec::Cbor => {
                let undecodable =
                    || format!("block {} cannot be decoded; --cbor gives its bytes", block.cid());
                Value::decode(block.bytes()).with_context(undecodable)?
            }
        };
        if out.is_json() {
            out.json(&value)?;
        } else {
            out.json_pretty(&value)?;
        }
        Ok(Exit::Done)
    }
}

fn state(given: &OsStr) -> Result<StateArg> {
    StateArg::parse(given.to_owned()).map_err(|reason| {
        Stated::usage(format!("no block and no revision {}: {reason}", given.display())).into()
    })
}
