//! `pds show`

use std::ffi::{OsStr, OsString};
use std::io::Write;

use anyhow::{Context, Result};
use pds::data::{Cid, Codec, Value};

use crate::answers::show::BlockAnswer;
use crate::exit::{Exit, Stated};
use crate::json_form::check_json_form;
use crate::open::{Place, Source};
use crate::output::Output;
use crate::record::RecordArg;
use crate::state_arg::StateArg;

/// Show a block, decoded
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds show bafyreidwydhkxbncvxuvbwefh5wchyyei7fikeu4oplmgkynqmsvpcjo2i\n  pds show HEAD"
)]
pub(crate) struct Args {
    /// Block to show: the CID of a commit, a tree node or a record; or a state, to show its commit
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
                    Source::Repo(repo) => repo.store().get(&cid)?,
                    Source::Car(car) => pds::data::Blocks::get(car.as_ref(), &cid)?,
                };
                found
                    .ok_or_else(|| Stated::no("not-found", format!("block {cid} is not stored")))?
            }
            None => match state(&self.what).and_then(|state| place.snapshot(Some(&state))) {
                Err(error) if named.is_some_and(|text| text.parse::<RecordArg>().is_ok()) => {
                    return Stated::no("not-found", format!("{error:#}"))
                        .hint("pds get PATH prints a record")
                        .fail();
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
                    || format!("block {} cannot be decoded; use --cbor for its bytes", block.cid());
                Value::decode(block.bytes()).with_context(undecodable)?
            }
        };
        check_json_form(&value, &format!("block {}", block.cid()))?;
        out.answer(&BlockAnswer(value))?;
        Ok(Exit::Done)
    }
}

fn state(given: &OsStr) -> Result<StateArg> {
    StateArg::parse(given.to_owned()).map_err(|reason| {
        Stated::usage(format!("{} is neither a CID nor a revision: {reason}", given.display()))
            .into()
    })
}
