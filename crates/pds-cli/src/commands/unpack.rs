//! `pds unpack`

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::commit::Commit;
use pds::data::{Block, ReadError, Value};
use pds::syntax::{Did, RecordPath};
use pds::{RecordEntry, Snapshot};
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::gaps::Gaps;
use crate::open::Place;
use crate::output::{Output, say};
use crate::state::StateArg;

/// Write every record as a JSON file
///
/// DIR/<did>/<collection>/<rkey>.json, and DIR/<did>/_commit.json. A record that cannot be decoded
/// is written as <rkey>.cbor. Exit code 6 if something is missing, or could not be written so.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds -R backup.car unpack records/")]
pub(crate) struct Args {
    /// Where to write
    dir: PathBuf,

    /// The state to read: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (source, at) = place.source_at(self.at.as_ref())?;
        self.of(&source.snapshot(at)?, out)
    }

    fn of(&self, snapshot: &Snapshot, out: &mut Output) -> Result<Exit> {
        let did = snapshot.commit().did();
        if !names_a_directory(did) {
            let message = format!("{did} is too long for the name of a directory");
            return Err(Stated::no("name-too-long", message).hint(ONE_BY_ONE).into());
        }
        let dir = self.dir.join(did.as_str());
        if dir.exists() {
            let message = format!("{} exists", dir.display());
            return Err(Stated::no("exists", message).hint("name another directory").into());
        }
        make(&dir)?;
        write(&dir.join("_commit.json"), commit_json(snapshot.commit()).as_bytes())?;
        let (mut written, mut odd, mut gaps) = (0_u64, 0_u64, Gaps::default());
        for entry in snapshot.records() {
            let Some(entry) = gaps.pass(entry)? else { continue };
            match one(snapshot, &entry, &dir)? {
                Ok(()) => written += 1,
                Err(Odd(message)) => {
                    say(&message);
                    odd += 1;
                }
            }
        }
        out.has_done();
        out.answer(|| written.to_string(), || json!({ "records": written }))?;
        Ok(if odd == 0 { gaps.exit() } else { Exit::Partly })
    }
}

/// A record that could not be written as JSON, and why; the next ones may be.
pub(crate) struct Odd(pub(crate) String);

fn one(snapshot: &Snapshot, entry: &RecordEntry, dir: &Path) -> Result<Result<(), Odd>> {
    let RecordEntry { path, cid } = entry;
    let odd = |what: &str| Ok(Err(Odd(format!("{path} {what}"))));
    match snapshot.blocks().get(cid) {
        Ok(Some(block)) => write_record(&block, path, dir),
        Ok(None) => odd("is missing"),
        Err(ReadError::Damaged { .. }) => odd("is damaged"),
        Err(error) => Err(error.into()),
    }
}

/// Writes a record into the directory of its collection.
pub(crate) fn write_record(
    block: &Block,
    path: &RecordPath,
    dir: &Path,
) -> Result<Result<(), Odd>> {
    let odd = |what: &str| Ok(Err(Odd(format!("{path} {what}"))));
    let collection = dir.join(path.collection.as_str());
    let made = if collection.is_dir() { Ok(()) } else { fs::create_dir_all(&collection) };
    match made {
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
            return odd("is not written: its collection is too long for the name of a directory");
        }
        made => made.with_context(|| format!("cannot make {}", collection.display()))?,
    }
    let decoded = Value::decode(block.bytes());
    let written = match &decoded {
        Ok(value) => write_json(&collection.join(format!("{}.json", path.rkey)), value),
        Err(_) => fs::write(collection.join(format!("{}.cbor", path.rkey)), block.bytes()),
    };
    match (written, decoded) {
        (Ok(()), Ok(_)) => Ok(Ok(())),
        (Ok(()), Err(_)) => odd("cannot be decoded: its bytes are in a .cbor file"),
        (Err(error), _) if error.kind() == io::ErrorKind::InvalidFilename => {
            odd("is not written: its key is too long for the name of a file")
        }
        (Err(error), _) => Err(error).with_context(|| format!("cannot write record {path}")),
    }
}

/// Writes JSON over several lines, piece by piece: with all its spaces it may be large.
fn write_json(path: &Path, value: &Value) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.flush()
}

pub(crate) fn commit_json(commit: &Commit) -> String {
    let value = Value::decode(commit.block().bytes());
    value.map_or_else(|_| String::new(), |value| value.to_json_pretty() + "\n")
}

pub(crate) fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Tells whether a directory can be named after an account.
pub(crate) fn names_a_directory(did: &Did) -> bool {
    did.as_str().len() <= MAX_NAME_BYTES
}

/// How long the names of files and directories may be on the file systems in use.
const MAX_NAME_BYTES: usize = 255;

const ONE_BY_ONE: &str = "pds ls --all lists its records, pds get PATH prints one";
