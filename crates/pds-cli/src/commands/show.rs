//! `pds show`

use std::io::Write;

use anyhow::{Context, Result};
use pds::data::{Cid, Codec, Value};

use crate::failure::{Exit, Stated};
use crate::open::{Place, Source};
use crate::output::Output;

/// Show any block, decoded
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds show bafyrei…")]
pub(crate) struct Args {
    /// The block: a commit, a tree node or a record
    cid: Cid,

    /// Write the exact bytes of the block
    #[arg(long, conflicts_with = "json")]
    cbor: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let found = match place.source()? {
            Source::Repo(repo) => repo.blocks().get(&self.cid)?,
            Source::Car(car) => pds::data::Blocks::get(car.as_ref(), &self.cid)?,
        };
        let Some(block) = found else {
            return Err(Stated::no("not-found", format!("no block {} here", self.cid)).into());
        };
        if self.cbor {
            out.bytes().write_all(block.bytes())?;
            return Ok(Exit::Done);
        }
        let value = match self.cid.codec() {
            Codec::Raw => Value::from(block.bytes()),
            Codec::Cbor => {
                let undecodable =
                    || format!("block {} cannot be decoded; --cbor gives its bytes", self.cid);
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
