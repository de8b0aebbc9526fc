//! `pds recover`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use pds::car::{CarError, CarFile, CarWriter};
use pds::commit::Commit;
use pds::data::{Block, Blocks, Cid};
use pds::mst::{Key, Step, walk};
use pds::syntax::RecordPath;
use pds::transfer::export::export_car;
use pds::{Error, Snapshot};
use pds_rescue::{Recovered, Recovery, Sources, recover};
use serde_json::{Value, json};

use crate::commands::repair::{lost_part_json, open_source};
use crate::commands::unpack::{
    Odd, commit_json as commit_file, make, names_a_directory, write, write_record,
};
use crate::destination::{check_is_free, named, write_file};
use crate::failure::{Exit, Stated, is_closed_pipe};
use crate::harms::Harms;
use crate::open::open_file;
use crate::output::{Output, commit_json, counted, say};
use crate::progress::Watched;

/// Read everything that is left of a damaged or cut CAR file
///
/// Lists the records, or writes them: as JSON files into DIR, as unpack does, or with -o all good
/// blocks as a CAR file. What is lost is listed in any case. Exit code 0 if the whole repository is
/// there, 6 if a part of it, 3 if nothing is.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds recover cut.car\n  pds recover cut.car records/\n  pds recover cut.car --from older.car -o whole.car"
)]
pub(crate) struct Args {
    /// The damaged CAR file; - for stdin
    car: PathBuf,

    /// Write the records here, as JSON files
    dir: Option<PathBuf>,

    /// Write a CAR file of all good blocks; - for stdout, what is found is told on stderr then
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    output: Option<PathBuf>,

    /// Overwrite that file
    #[arg(long, requires = "output")]
    force: bool,

    /// Take what is missing from another CAR file, or from a repository
    #[arg(long = "from", value_name = "CAR|DIR")]
    sources: Vec<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let file = named(self.output.as_deref());
        if let Some(file) = file {
            check_is_free(file, self.force)?;
        }
        let beside_bytes = self.output.is_some() && file.is_none();
        let shown = self.car.display();
        let mut harms = Harms::of(&self.car);
        let car = CarFile::salvage(open_file(&self.car)?, &mut |error| harms.add(&error))?;
        harms.tell_rest();
        let car = Arc::new(car);
        // Where the header says what it was, other places may have all of it.
        if car.is_empty() && (self.sources.is_empty() || car.roots().is_empty()) {
            let message = format!("no block can be read in {shown}");
            return Err(Stated::bad_input(message).into());
        }
        let mut sources: Vec<Arc<dyn Blocks>> = vec![car.clone()];
        for path in &self.sources {
            sources.push(open_source(path)?);
        }
        let sources = Arc::new(Sources(sources));

        let mut files = self.dir.as_deref().map(Files::new).transpose()?;
        let lists = self.dir.is_none() && self.output.is_none();
        let mut failed = None;
        let mut telling = Telling { out, beside_bytes, no_path: NoPath::default() };
        let recovery = recover(&car, sources.as_ref(), &mut |recovered| {
            let told = telling.tell(&recovered, lists).and_then(|()| match &mut files {
                Some(files) => files.add(&recovered),
                None => Ok(()),
            });
            told.map_err(|error| {
                // It is this one that is told; the other ends the work.
                failed = Some(error);
                Error::Car(CarError::Io(std::io::ErrorKind::Other.into()))
            })
        });
        let recovery = match failed {
            Some(error) => return Err(error),
            None => recovery?,
        };
        let mut odd = 0;
        if let Some(files) = files {
            odd = files.finish(recovery.commit.as_ref())?;
        }
        if let Some(file) = file {
            write_file(file, self.force, |out| write_car(&car, &sources, &recovery, out))?;
        } else if beside_bytes {
            match write_car(&car, &sources, &recovery, telling.out.bytes()) {
                // Whoever reads the file has seen enough; what was found is told elsewhere.
                Err(error) if is_closed_pipe(&error) => {}
                written => written?,
            }
        }
        if !lists {
            telling.out.has_done();
        }
        let NoPath { placed, unplaced: not_placed } = telling.no_path;
        let (records, unplaced) = (recovery.records - placed, recovery.unplaced - not_placed);
        let without_path = recovery.without_path + placed + not_placed;
        let is_whole = recovery.lost == 0 && recovery.commit.is_some() && without_path == 0;
        let found = recovery.records + recovery.unplaced + recovery.without_path;
        let commit = recovery.commit.as_ref();
        telling.answer(
            || {
                let lost = recovery.lost;
                let verdict = if is_whole { "whole" } else { "partly recovered" };
                format!(
                    "{verdict}: {}, {unplaced} unplaced, {without_path} without a path, {lost} lost",
                    counted(records, "record")
                )
            },
            || {
                json!({
                    "ok": is_whole,
                    "did": commit.map(|commit| commit.did().as_str()),
                    "commit": commit.map(|commit| commit_json(commit.cid(), commit.rev())),
                    "records": records,
                    "unplaced": unplaced,
                    "withoutPath": without_path,
                    "lost": recovery.lost,
                })
            },
        )?;
        Ok(match is_whole && odd == 0 {
            true => Exit::Done,
            false if found == 0 && commit.is_none() => Exit::BadInput,
            false => Exit::Partly,
        })
    }
}

/// Where it is told what was found.
struct Telling<'a> {
    out: &'a mut Output,
    /// The bytes of a file take standard output.
    beside_bytes: bool,
    no_path: NoPath,
}

/// How many records have a key in the tree that is no path of a record.
#[derive(Clone, Copy, Default)]
struct NoPath {
    placed: u64,
    unplaced: u64,
}

impl Telling<'_> {
    fn answer(
        &mut self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<()> {
        if self.beside_bytes {
            say(&if self.out.is_json() { json().to_string() } else { text() });
            return Ok(());
        }
        self.out.answer(text, json)
    }

    /// Says what is lost, and if that is wanted what is there.
    fn tell(&mut self, recovered: &Recovered, lists: bool) -> Result<()> {
        let path = |key: &Key| key.as_bytes().escape_ascii().to_string();
        let (key, no_path) = match recovered {
            Recovered::Record { key, .. } => (Some(key), &mut self.no_path.placed),
            Recovered::Unplaced { key, .. } => (Some(key), &mut self.no_path.unplaced),
            _ => (None, &mut self.no_path.placed),
        };
        if let Some(key) = key.filter(|key| RecordPath::from_bytes(key.as_bytes()).is_err()) {
            say(&format!("tree key {} is not a record path", path(key)));
            *no_path += 1;
        }
        match recovered {
            Recovered::Lost { part, cid } => self.answer(
                || format!("lost {part}: {}", cid.map_or("-".to_owned(), |cid| cid.to_string())),
                || {
                    let mut line = lost_part_json(part);
                    line.insert("cid".to_owned(), json!(cid.map(|cid| cid.to_string())));
                    json!({ "lost": line })
                },
            ),
            _ if !lists => Ok(()),
            Recovered::Record { key, block } => self.answer(
                || format!("{}\t{}", path(key), block.cid()),
                || json!({ "path": path(key), "cid": block.cid().to_string() }),
            ),
            Recovered::Unplaced { key, block } => self.answer(
                || format!("unplaced {}\t{}", path(key), block.cid()),
                || json!({ "unplaced": { "path": path(key), "cid": block.cid().to_string() } }),
            ),
            Recovered::WithoutPath { block } => self.answer(
                || format!("without-path {}", block.cid()),
                || json!({ "withoutPath": { "cid": block.cid().to_string() } }),
            ),
        }
    }
}

/// Records on their way into a directory, whose name is known when the commit is.
struct Files {
    staging: tempfile::TempDir,
    dir: PathBuf,
    odd: u64,
}

impl Files {
    fn new(dir: &Path) -> Result<Self> {
        make(dir)?;
        let staging = tempfile::Builder::new().prefix(".pds-recover-").tempdir_in(dir)?;
        Ok(Self { staging, dir: dir.to_owned(), odd: 0 })
    }

    fn add(&mut self, recovered: &Recovered) -> Result<()> {
        let (below, key, block) = match recovered {
            Recovered::Record { key, block } => ("", Some(key), block),
            Recovered::Unplaced { key, block } => ("_unplaced", Some(key), block),
            Recovered::WithoutPath { block } => ("_without-path", None, block),
            Recovered::Lost { .. } => return Ok(()),
        };
        let dir = self.staging.path().join("records").join(below);
        match key.and_then(|key| RecordPath::from_bytes(key.as_bytes()).ok()) {
            // Of two versions of an unplaced record neither is the right one.
            Some(path) if is_there(&dir, &path) => {
                write_without_path(block, &self.staging.path().join("records/_without-path"))
            }
            Some(path) => {
                if let Err(Odd(message)) = write_record(block, &path, &dir)? {
                    say(&message);
                    self.odd += 1;
                }
                Ok(())
            }
            None => write_without_path(block, &self.staging.path().join("records/_without-path")),
        }
    }

    /// Moves everything to its place and tells how much could not be written.
    fn finish(self, commit: Option<&Commit>) -> Result<u64> {
        let records = self.staging.path().join("records");
        make(&records)?;
        if let Some(commit) = commit {
            write(&records.join("_commit.json"), commit_file(commit).as_bytes())?;
        }
        let name = match commit.map(Commit::did) {
            Some(did) if names_a_directory(did) => did.as_str(),
            Some(did) => {
                say(&format!("{did} is too long for the name of a directory: see {UNKNOWN}"));
                UNKNOWN
            }
            None => UNKNOWN,
        };
        let to = self.dir.join(name);
        if to.exists() {
            let message = format!("{} exists", to.display());
            return Err(Stated::no("exists", message).hint("name another directory").into());
        }
        std::fs::rename(&records, &to)?;
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
    match pds::data::Value::decode(block.bytes()) {
        Ok(value) => {
            let text = value.to_json_pretty() + "\n";
            write(&dir.join(format!("{}.json", block.cid())), text.as_bytes())
        }
        Err(_) => write(&dir.join(format!("{}.cbor", block.cid())), block.bytes()),
    }
}

/// Writes the repository as an export would if it is whole, and else every good block of the file
/// and what the sources have of the repository besides.
fn write_car(
    car: &Arc<CarFile<Watched>>,
    sources: &Arc<Sources>,
    recovery: &Recovery,
    out: &mut dyn Write,
) -> Result<()> {
    if let (Some(commit), 0) = (&recovery.commit, recovery.lost) {
        let snapshot = Snapshot::open(sources.clone(), commit.cid())?;
        export_car(&snapshot, out, &mut |_| {})?;
        return Ok(());
    }
    let commit = recovery.commit.as_ref().map(Commit::cid);
    let root = commit.or(car.roots().first().copied());
    let mut written = CarWriter::new(out, root.as_slice())?;
    for number in 0..car.len() {
        if let Some(cid) = car.cid(number)?
            && let Some(block) = car.get(&cid)?
        {
            written.block(block.borrowed())?;
        }
    }
    let mut add = |cid: &Cid| -> Result<()> {
        if car.get(cid)?.is_none()
            && let Some(block) = sources.get(cid)?
        {
            written.block(block.borrowed())?;
        }
        Ok(())
    };
    if let Some(commit) = &recovery.commit {
        add(&commit.cid())?;
        for step in walk(sources.as_ref(), commit.data()) {
            match step {
                Ok(Step::Node { block, .. }) => add(&block.cid())?,
                Ok(Step::Entry { value, .. }) => add(&value)?,
                // What is lost has been listed.
                Err(_) => {}
            }
        }
    }
    written.finish()?;
    Ok(())
}

/// The directory of records whose account is not known, or cannot name one.
const UNKNOWN: &str = "unknown-account";
