//! `pds put`

use std::path::PathBuf;

use anyhow::{Context, Result};
use pds::data::limits::MAX_BLOCK_BYTES;
use pds::data::{Cid, Value};
use pds::store::{Expect, RefName};
use pds::syntax::{AtUri, RecordPath};
use pds::{Error, Write, WriteOptions, Written};
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::json_input::read_json;
use crate::open::{Place, TargetArg, read_limited};
use crate::output::{Output, commit_json};

/// Write a record, as one signed commit
///
/// Reads JSON in the atproto form. A missing $type becomes the collection. Writing what is there
/// already makes no commit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    echo '{\"text\": \"hello\"}' | pds put com.example.note/first\n  \
    pds put com.example.note note.json      the key is a fresh TID")]
pub(crate) struct Args {
    /// collection/rkey or an at-uri; with a collection alone a key is made
    path: TargetArg,

    /// The record; stdin if there is none
    file: Option<PathBuf>,

    /// The input is DAG-CBOR, and stored as it is
    #[arg(long)]
    cbor: bool,

    /// Fail if the record exists
    #[arg(long, conflicts_with = "swap")]
    create: bool,

    /// Fail if the record is not this one
    #[arg(long, value_name = "CID")]
    swap: Option<Cid>,

    /// Take a record whose blobs are not here
    #[arg(long)]
    allow_missing_blobs: bool,

    /// Write to another ref than HEAD
    #[arg(long = "ref", value_name = "NAME")]
    ref_name: Option<RefName>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.swap.is_some() && self.path.rkey.is_none() {
            let message = "--swap is for a record that is there: name it, collection/rkey";
            return Err(Stated::usage(message).into());
        }
        let repo = place.branch(self.ref_name.as_ref())?;
        let did = repo.did()?.ok_or_else(|| Error::NoCommit(repo.history().ref_name().clone()))?;
        self.path.check_account(&did)?;
        let input = match self.cbor {
            true => read_limited(self.file.as_deref(), MAX_BLOCK_BYTES)?,
            false => read_json(self.file.as_deref())?,
        };
        let write = self.write(input)?;
        let options = WriteOptions::default()
            .allow_missing_blobs(self.allow_missing_blobs)
            .message("put".to_owned());
        let written = repo.write(pds::Batch::new(&[write]).with(options.clone()))?;
        out.has_done();
        print_written(&written, out)?;
        Ok(Exit::Done)
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

/// Prints what became of each record: a line for each.
pub(crate) fn print_written(written: &Written, out: &mut Output) -> Result<()> {
    let did = written.commit.did();
    for change in &written.changes {
        let uri = AtUri::record(did, &change.path);
        let action = match (change.before, change.after) {
            (None, _) => "create",
            (Some(_), Some(_)) => "update",
            (Some(_), None) => "delete",
        };
        out.answer(
            || match change.after {
                Some(cid) => format!("{uri}\t{cid}"),
                None => uri.to_string(),
            },
            || {
                json!({
                    "action": action,
                    "uri": uri.as_str(),
                    "cid": change.after.map(|cid| cid.to_string()),
                    "commit": commit_json(written.commit.cid(), written.commit.rev()),
                })
            },
        )?;
    }
    Ok(())
}
