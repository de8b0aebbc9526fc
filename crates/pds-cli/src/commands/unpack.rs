//! `pds unpack`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::commit::Commit;
use pds::data::Value;
use pds::repo::{RecordEntry, Snapshot};
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
        let snapshot = place.snapshot(self.at.as_deref())?;
        let dir = self.dir.join(snapshot.commit().did().as_str());
        if dir.exists() {
            let message = format!("{} exists", dir.display());
            return Err(Stated::no("exists", message).hint("name another directory").into());
        }
        make(&dir)?;
        write(&dir.join("_commit.json"), commit_json(snapshot.commit()).as_bytes())?;
        let (mut written, mut odd) = (0_u64, 0_u64);
        for entry in snapshot.records() {
            match one(&snapshot, &entry?, &dir)? {
                Wrote::Json => written += 1,
                Wrote::Cbor(path) => {
                    say(&format!("{path} cannot be decoded: its bytes are in a .cbor file"));
                    odd += 1;
                }
                Wrote::Nothing(path) => {
                    say(&format!("{path} is missing"));
                    odd += 1;
                }
            }
        }
        out.answer(|| written.to_string(), || json!({ "records": written }))?;
        Ok(if odd == 0 { Exit::Done } else { Exit::Partly })
    }
}

enum Wrote {
    Json,
    Cbor(String),
    Nothing(String),
}

fn one(snapshot: &Snapshot, entry: &RecordEntry, dir: &Path) -> Result<Wrote> {
    let RecordEntry { path, cid } = entry;
    let collection = dir.join(path.collection.as_str());
    if !collection.is_dir() {
        make(&collection)?;
    }
    let Some(block) = snapshot.blocks().get(cid)? else {
        return Ok(Wrote::Nothing(path.to_string()));
    };
    match Value::decode(block.bytes()) {
        Ok(value) => {
            let text = value.to_json_pretty() + "\n";
            write(&collection.join(format!("{}.json", path.rkey)), text.as_bytes())?;
            Ok(Wrote::Json)
        }
        Err(_) => {
            write(&collection.join(format!("{}.cbor", path.rkey)), block.bytes())?;
            Ok(Wrote::Cbor(path.to_string()))
        }
    }
}

fn commit_json(commit: &Commit) -> String {
    let value = Value::decode(commit.block().bytes());
    value.map_or_else(|_| String::new(), |value| value.to_json_pretty() + "\n")
}

fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
