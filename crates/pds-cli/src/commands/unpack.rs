//! `pds unpack`

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::commit::Commit;
use pds::data::{Block, ReadError, Value};
use pds::repo::{RecordEntry, Snapshot};
use pds::syntax::RecordPath;
use serde_json::json;

use crate::failure::{Exit, Stated};
use crate::open::Place;
use crate::output::{Output, say};

/// Write every record as a JSON file
///
/// DIR/<did>/<collection>/<rkey>.json, and DIR/<did>/_commit.json. A record that cannot be decoded
/// is written as <rkey>.cbor.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds -R backup.car unpack records/")]
pub(crate) struct Args {
    /// Where to write
    dir: PathBuf,

    /// The state to read: a ref, a commit CID, a rev, HEAD~2, @{1}, or a .car file
    #[arg(long, value_name = "REV")]
    at: Option<String>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (source, at) = place.source_at(self.at.as_deref())?;
        source.reading(|| self.of(&source.snapshot(at)?, out))
    }

    fn of(&self, snapshot: &Snapshot, out: &mut Output) -> Result<Exit> {
        let dir = self.dir.join(snapshot.commit().did().as_str());
        if dir.exists() {
            let message = format!("{} exists", dir.display());
            return Err(Stated::no("exists", message).hint("name another directory").into());
        }
        make(&dir)?;
        write(&dir.join("_commit.json"), commit_json(snapshot.commit()).as_bytes())?;
        let (mut written, mut odd) = (0_u64, 0_u64);
        for entry in snapshot.records() {
            match one(snapshot, &entry?, &dir)? {
                Ok(()) => written += 1,
                Err(Odd(message)) => {
                    say(&message);
                    odd += 1;
                }
            }
        }
        out.has_done();
        out.answer(|| written.to_string(), || json!({ "records": written }))?;
        Ok(if odd == 0 { Exit::Done } else { Exit::Partly })
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
    let collection = dir.join(path.collection.as_str());
    if !collection.is_dir() {
        make(&collection)?;
    }
    let odd = |what: &str| Ok(Err(Odd(format!("{path} {what}"))));
    let written = match Value::decode(block.bytes()) {
        Ok(value) => write_json(&collection.join(format!("{}.json", path.rkey)), &value),
        Err(_) => {
            write(&collection.join(format!("{}.cbor", path.rkey)), block.bytes())?;
            return odd("cannot be decoded: its bytes are in a .cbor file");
        }
    };
    match written {
        Ok(()) => Ok(Ok(())),
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
            odd("is not written: its key is too long for the name of a file")
        }
        Err(error) => Err(error).with_context(|| format!("cannot write record {path}")),
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
