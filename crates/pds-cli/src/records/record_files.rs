//! Records as files: `DIR/<did>/<collection>/<rkey>.json`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::commit::Commit;
use pds::data::{Block, Value};
use pds::syntax::{Did, RecordPath};
use pds::unfinished::UnfinishedDir;
use pds_rescue::Recovered;

use crate::failures::exit::Stated;
use crate::process::destination::check_is_outside;
use crate::process::leftovers::clear_from;
use crate::process::new_directory::{existing, publish_directory};
use crate::process::text::say;
use crate::records::json_form::NO_JSON_FORM;
use crate::records::portable_name::portable;

/// The reason why one record was not written as JSON; later records may still be.
pub(crate) struct Odd(pub(crate) String);

/// Recovered records in a temporary directory, which gets its name once the commit is known.
pub(crate) struct Files {
    staging: UnfinishedDir,
    dir: PathBuf,
    odd: u64,
}

/// Removes what killed runs have left where a directory of records is made: in `base`, the nearest one that exists.
pub(crate) fn clear_records(base: &Path, dir: &Path) {
    clear_from(base, &[UNFINISHED_RECORDS]);
    // A killed run may have made the directory as its last step.
    if let Some(above) = base.parent().filter(|_| base == dir) {
        let above = if above == Path::new("") { Path::new(".") } else { above };
        clear_from(above, &[UNFINISHED_RECORDS]);
    }
}

impl Files {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        check_is_outside(dir)?;
        // If the work is interrupted, no new directory is left.
        let base = existing(dir);
        clear_records(base, dir);
        let staging = UnfinishedDir::private_in(base, UNFINISHED_RECORDS)
            .with_context(|| format!("cannot write to {}", base.display()))?;
        Ok(Self { staging, dir: dir.to_owned(), odd: 0 })
    }

    pub(crate) fn add(&mut self, recovered: &Recovered) -> Result<()> {
        let (below, key, block) = match recovered {
            Recovered::Record { key, block } => (String::new(), Some(key), block),
            Recovered::InState { state, key, block } => {
                (format!("{OTHER_STATES}/{state}"), Some(key), block)
            }
            Recovered::Unplaced { key, block } => ("_unplaced".to_owned(), Some(key), block),
            Recovered::WithoutPath { block } => (WITHOUT_PATH.to_owned(), None, block),
            Recovered::Lost { .. } | Recovered::State(_) => return Ok(()),
        };
        let records = self.staging.path().join("records");
        let dir = records.join(below);
        match key.and_then(|key| RecordPath::from_bytes(key.as_bytes()).ok()) {
            // Neither of two versions of an unplaced record is known to be the right one.
            Some(path) if is_there(&dir, &path) => {
                write_without_path(block, &records.join(WITHOUT_PATH))
            }
            Some(path) => {
                if let Err(Odd(message)) = write_record(block, &path, &dir, FileNames::Plain)? {
                    say(&message);
                    self.odd += 1;
                }
                Ok(())
            }
            None => write_without_path(block, &records.join(WITHOUT_PATH)),
        }
    }

    /// Moves all files to their place, and returns how many records could not be written.
    pub(crate) fn finish(self, commit: Option<&Commit>) -> Result<u64> {
        let records = self.staging.path().join("records");
        make(&records)?;
        if let Some(commit) = commit {
            write_commit(commit, &records)?;
        }
        let did = commit.map(Commit::did);
        let name = did.and_then(|did| directory_name(did, "").ok()).unwrap_or(UNKNOWN);
        if let Some(did) = did.filter(|_| name == UNKNOWN) {
            say(&format!("{did} is too long for a directory name; the directory is {UNKNOWN}"));
        }
        let to = self.dir.join(name);
        check_is_new(&to)?;
        publish_directory(&self.staging, &records, &to)?;
        Ok(self.odd)
    }
}

fn is_there(dir: &Path, path: &RecordPath) -> bool {
    let collection = dir.join(path.collection.as_str());
    ["json", "cbor"]
        .iter()
        .any(|ending| collection.join(format!("{}.{ending}", path.rkey)).exists())
}

fn write_without_path(block: &Block, dir: &Path) -> Result<()> {
    make(dir)?;
    let path = |ending: &str| dir.join(format!("{}.{ending}", block.cid()));
    match json_value(block) {
        Ok(value) => {
            let path = path("json");
            write_json(&path, &value).with_context(|| format!("cannot write {}", path.display()))
        }
        Err(_) => write(&path("cbor"), block.bytes()),
    }
}

/// The form of the names of directories and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileNames {
    /// The names of accounts, collections and records as they are.
    Plain,
    /// Names that every file system accepts.
    Portable,
}

impl FileNames {
    /// Returns the path of a name in a directory.
    pub(crate) fn path(self, dir: &Path, name: &str, ending: &str) -> PathBuf {
        match self {
            Self::Plain => dir.join(format!("{name}{ending}")),
            Self::Portable => portable(dir, name, ending),
        }
    }
}

/// Writes a record into the directory of its collection.
pub(crate) fn write_record(
    block: &Block,
    path: &RecordPath,
    dir: &Path,
    names: FileNames,
) -> Result<Result<(), Odd>> {
    let odd = |what: &str| Ok(Err(Odd(format!("{path} {what}"))));
    let decoded = json_value(block);
    let collection = names.path(dir, path.collection.as_str(), "");
    let ending = if decoded.is_ok() { ".json" } else { ".cbor" };
    let file = names.path(&collection, path.rkey.as_str(), ending);
    // The name of a portable file may go on in a directory of the collection.
    let above = file.parent().unwrap_or(&collection);
    let made = if above.is_dir() { Ok(()) } else { fs::create_dir_all(above) };
    match made {
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
            return odd("is not written: the collection is too long for a directory name");
        }
        made => made.with_context(|| format!("cannot create {}", above.display()))?,
    }
    let written = match &decoded {
        Ok(value) => write_json(&file, value),
        Err(_) => File::create_new(&file).and_then(|mut file| file.write_all(block.bytes())),
    };
    match (written, decoded) {
        (Ok(()), Ok(_)) => Ok(Ok(())),
        (Ok(()), Err(reason)) => odd(&format!("{reason}: its bytes are in a .cbor file")),
        (Err(error), _) => match error.kind() {
            io::ErrorKind::InvalidFilename => {
                odd("is not written: the key is too long for a file name")
            }
            io::ErrorKind::AlreadyExists => odd("is not written: its file name is taken, since \
                this file system ignores case"),
            _ => Err(error).with_context(|| format!("cannot write record {path}")),
        },
    }
}

/// Writes JSON over several lines, piece by piece, because the text may be large.
fn write_json(path: &Path, value: &Value) -> io::Result<()> {
    let mut file = BufWriter::new(File::create_new(path)?);
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.flush()
}

/// Returns the value of a block that is written as JSON, or the reason why it is not.
fn json_value(block: &Block) -> Result<Value, &'static str> {
    let value = Value::decode(block.bytes()).map_err(|_| "cannot be decoded")?;
    if value.has_json_form() { Ok(value) } else { Err(NO_JSON_FORM) }
}

/// Writes a commit into the directory of its records.
pub(crate) fn write_commit(commit: &Commit, dir: &Path) -> Result<()> {
    match json_value(commit.block()) {
        Ok(value) => write(&dir.join(COMMIT_JSON), (value.to_json_pretty() + "\n").as_bytes()),
        Err(_) => write(&dir.join(COMMIT_CBOR), commit.block().bytes()),
    }
}

pub(crate) fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Returns the directory name of an account, if it is short enough for a file system.
pub(crate) fn directory_name<'a>(did: &'a Did, hint: &'static str) -> Result<&'a str> {
    if did.as_str().len() > MAX_NAME_BYTES {
        let message = format!("{did} is too long for a directory name");
        return Stated::no("name-too-long", message).hint(hint).fail();
    }
    Ok(did.as_str())
}

/// Checks that a directory does not exist yet, and is not among the parts of a repository.
pub(crate) fn check_is_new(dir: &Path) -> Result<()> {
    check_is_outside(dir)?;
    if dir.exists() {
        let message = format!("{} exists", dir.display());
        return Stated::no("exists", message).hint("name another directory").fail();
    }
    Ok(())
}

/// The file of the commit, next to the collections.
pub(crate) const COMMIT_JSON: &str = "_commit.json";

/// The file of a commit without a JSON form.
pub(crate) const COMMIT_CBOR: &str = "_commit.cbor";

/// The prefix of the names of directories with records that are not complete yet.
pub(crate) const UNFINISHED_RECORDS: &str = ".pds-records-";

/// The longest file name that common file systems allow.
const MAX_NAME_BYTES: usize = 255;

/// The directory of the records that only other states have, with a directory for each state.
const OTHER_STATES: &str = "_other-states";

/// The directory of the blocks without a path.
const WITHOUT_PATH: &str = "_without-path";

/// The directory name for an unknown account, or for one whose name is too long.
const UNKNOWN: &str = "unknown-account";
