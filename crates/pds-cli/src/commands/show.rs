//! `pds show`

use std::ffi::OsString;
use std::io::Write;

use anyhow::{Context, Result};
use pds::data::{Codec, Value};

use crate::answers::show::BlockAnswer;
use crate::exit::Exit;
use crate::json_form::check_json_form;
use crate::open::Place;
use crate::output::Output;
use crate::shown::Shown;

/// Show a block, decoded
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds show bafyreidwydhkxbncvxuvbwefh5wchyyei7fikeu4oplmgkynqmsvpcjo2i\n  pds show HEAD"
)]
pub(crate) struct Args {
    /// Block to show, by its CID or six letters of it or more; a state, to show its commit; or REV:PATH, to show a
    /// record of a state
    #[arg(value_name = "CID|REV")]
    what: OsString,

    /// Write the exact bytes of the block
    #[arg(long, conflicts_with = "json")]
    cbor: bool,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let block = match Shown::find(place, &self.what)? {
            Shown::State(snapshot) => snapshot.commit().block().clone(),
            Shown::Block(block) => block,
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
