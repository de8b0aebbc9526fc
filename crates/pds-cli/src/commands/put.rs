//! `pds put`

use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::data::limits::MAX_BLOCK_BYTES;
use pds::data::{Cid, Value};
use pds::store::{Expect, RefName};
use pds::syntax::RecordPath;
use pds::{Batch, Error, Write, WriteOptions};

use crate::answers::put::WrittenRow;
use crate::arguments::record::TargetArg;
use crate::failures::exit::{Exit, Stated};
use crate::input::json_input::read_json;
use crate::input::record_envelope::refuse_envelope;
use crate::input::stream::read_limited;
use crate::process::output::Output;
use crate::repository::clock::ClockArg;
use crate::repository::open::Place;
use crate::screens::written::print;

/// Write a record in one signed commit
///
/// Reads JSON in the atproto form. A missing $type becomes the collection. If the record would not change, no
/// commit is made.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    echo '{\"text\": \"hello\"}' | pds put com.example.note/first\n  \
    pds put com.example.note note.json      generate the key")]
pub(crate) struct Args {
    /// Record: collection/rkey, at-uri or bsky.app URL; for a collection alone, a TID is generated
    path: TargetArg,

    /// File with the record [default: stdin]
    file: Option<PathBuf>,

    /// Read DAG-CBOR, and store it unchanged
    #[arg(long)]
    cbor: bool,

    /// Fail if the record exists
    #[arg(long, conflicts_with = "swap")]
    create: bool,

    /// Fail unless the record has this CID
    #[arg(long, value_name = "CID")]
    swap: Option<Cid>,

    /// Accept new references to blobs that are not stored
    #[arg(long)]
    allow_missing_blobs: bool,

    /// Write to this ref instead of HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,

    #[command(flatten)]
    clock: ClockArg,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.swap.is_some() && self.path.rkey.is_none() {
            let message = "--swap needs a record key; name the record as collection/rkey";
            return Stated::usage(message).fail();
        }
        let repo = self.clock.on(place.branch(self.ref_name.as_ref())?, out)?;
        let did = repo.did()?.ok_or_else(|| Error::NoCommit(repo.history().ref_name().clone()))?;
        self.path.check_account(place.account(&did))?;
        self.check_file()?;
        let input = match self.cbor {
            true => read_limited(self.file.as_deref(), MAX_BLOCK_BYTES)?,
            false => read_json(self.file.as_deref())?,
        };
        let write = self.write(input)?;
        let options = WriteOptions::default()
            .allow_missing_blobs(self.allow_missing_blobs)
            .message("put".to_owned());
        let written = repo.write(Batch::new(&[write]).with(options))?;
        out.has_done();
        print(WrittenRow::all(&written), out)?;
        Ok(Exit::Done)
    }

    /// Refuses a record that was given in place of its file.
    fn check_file(&self) -> Result<()> {
        match &self.file {
            Some(file)
                if file.as_os_str().as_encoded_bytes().starts_with(b"{") && !file.exists() =>
            {
                let message = format!("no file {}", file.display());
                Stated::bad_input(message).hint(FROM_STDIN).fail()
            }
            _ => Ok(()),
        }
    }

    fn write(&self, input: Vec<u8>) -> Result<Write> {
        let collection = self.path.collection.clone();
        let path = self.path.rkey.clone().map(|rkey| RecordPath::new(collection.clone(), rkey));
        let write = if self.cbor {
            match path {
                Some(path) => Write::put_bytes(path, input),
                None => Write::add_bytes(collection, input),
            }
        } else {
            let text =
                String::from_utf8(input).map_err(|_| Stated::bad_input("the JSON is not UTF-8"))?;
            let value = Value::from_json(&text).context("cannot read the record")?;
            refuse_envelope(&value)?;
            match path {
                Some(path) => Write::put(path, value),
                None => Write::add(collection, value),
            }
        };
        Ok(match (self.create, self.swap) {
            (true, _) => write.expecting(Expect::Absent),
            (false, Some(cid)) => write.expecting(Expect::Exactly(cid)),
            (false, None) => write,
        })
    }
}

const FROM_STDIN: &str = "the record is read from a file or stdin: echo '{…}' | pds put PATH";
