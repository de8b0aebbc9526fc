//! `pds put`

use std::path::PathBuf;

use anyhow::Result;
use pds::data::limits::MAX_BLOCK_BYTES;
use pds::store::Expect;
use pds::syntax::RecordPath;
use pds::{Batch, Repo, Write};

use crate::answers::put::WrittenRow;
use crate::arguments::record::TargetArg;
use crate::arguments::short_cid::{CidArg, Fitting};
use crate::arguments::write_args::{WriteArgs, account_of};
use crate::failures::exit::{Exit, Stated};
use crate::input::json_input::read_json;
use crate::input::record_envelope::record_of;
use crate::input::stream::read_limited;
use crate::process::output::Output;
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
    swap: Option<CidArg>,

    #[command(flatten)]
    write: WriteArgs,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.swap.is_some() && self.path.rkey.is_none() {
            let message = "--swap needs a record key; name the record as collection/rkey";
            return Stated::usage(message).fail();
        }
        let repo = self.write.commit.open(place, out)?;
        let did = account_of(&repo)?;
        self.path.check_account(place.account(&did))?;
        self.check_file()?;
        let input = match self.cbor {
            true => read_limited(self.file.as_deref(), MAX_BLOCK_BYTES)?,
            false => read_json(self.file.as_deref())?,
        };
        let write = self.to_write(&repo, input)?;
        let written = repo.write(Batch::new(&[write]).with(self.write.options("put")))?;
        if written.changes.iter().any(|change| change.before != change.after) {
            out.has_done();
        }
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

    fn to_write(&self, repo: &Repo, input: Vec<u8>) -> Result<Write> {
        let collection = self.path.collection.clone();
        let path = self.path.rkey.clone().map(|rkey| RecordPath::new(collection.clone(), rkey));
        let expected = match (self.create, &self.swap, &path) {
            (true, ..) => Some(Expect::Absent),
            (false, Some(swap), Some(path)) => Some(present(repo, path, swap)?),
            _ => None,
        };
        let write = if self.cbor {
            match path {
                Some(path) => Write::put_bytes(path, input),
                None => Write::add_bytes(collection, input),
            }
        } else {
            let value = record_of(input)?;
            match path {
                Some(path) => Write::put(path, value),
                None => Write::add(collection, value),
            }
        };
        Ok(match expected {
            Some(expected) => write.expecting(expected),
            None => write,
        })
    }
}

/// Returns the CID that a record must have. Of a short CID, only that of the present record is meant.
fn present(repo: &Repo, path: &RecordPath, swap: &CidArg) -> Result<Expect> {
    let present = repo.snapshot()?.find_cid(path)?;
    let test = |fitting: &mut Fitting<'_>| {
        // There is one CID, so the answer does not matter.
        let _ = present.map(|cid| fitting.test(&cid));
        Ok(())
    };
    match swap.find(test)? {
        Some(cid) => Ok(Expect::Exactly(cid)),
        None => {
            let found = present.map_or("does not exist".to_owned(), |cid| format!("is {cid}"));
            Stated::no("conflict", format!("record {path} {found}, expected {swap}")).fail()
        }
    }
}

const FROM_STDIN: &str = "the record is read from a file or stdin: echo '{…}' | pds put PATH";
