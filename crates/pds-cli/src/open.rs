//! Which repository is meant, which record, which state.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result};
use pds::car::{CarError, CarFile, CarReader, FromStart};
use pds::commit::Commit;
use pds::data::Blocks;
use pds::model::revision::RevisionError;
use pds::store::RefName;
use pds::syntax::{AtIdentifier, AtUri, Did, Nsid, RecordPath};
use pds::transfer::export::{ExportOptions, export_with};
use pds::{Error, Repo, Revision, Snapshot};

use crate::failure::Stated;
use crate::harms::Harms;
use crate::progress::Watched;
use crate::state::StateArg;

/// Where the repository is said to be.
pub(crate) struct Place {
    named: Option<PathBuf>,
}

/// Something that can be read: a repository, or a CAR file.
pub(crate) enum Source {
    Repo(Repo),
    Car(Arc<CarFile<Watched>>),
}

impl Place {
    pub(crate) fn new(named: Option<PathBuf>) -> Self {
        Self { named }
    }

    /// Finds the directory of the repository: the one that was named, or the nearest from here
    /// upwards.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        if let Some(named) = &self.named {
            return Ok(named.clone());
        }
        let here = std::env::current_dir().context("cannot tell which directory this is")?;
        for dir in here.ancestors() {
            if pds::local::open::is_repository(dir)? {
                return Ok(dir.to_owned());
            }
        }
        Err(Error::NotARepository(here).into())
    }

    /// Tells whether there is a repository, or a file, without one having been looked into.
    pub(crate) fn is_found(&self) -> bool {
        self.directory().is_ok()
    }

    /// Opens the repository for writing, with its key.
    pub(crate) fn repo(&self) -> Result<Repo> {
        Ok(Repo::open(&self.writable()?)?)
    }

    /// Opens the repository for changes that take no key.
    pub(crate) fn mirror(&self) -> Result<Repo> {
        Ok(pds::local::open::open_without_key(&self.writable()?)?)
    }

    /// Finds the directory of a repository that is to be changed.
    pub(crate) fn writable(&self) -> Result<PathBuf> {
        let dir = self.directory()?;
        if is_a_file(&dir) {
            let message = format!("{} is a file: it can be read only", dir.display());
            return Err(Stated::no("read-only", message)
                .hint("pds clone FILE makes a repository of it")
                .into());
        }
        Ok(dir)
    }

    /// Opens the repository for writing on a ref that exists.
    pub(crate) fn branch(&self, name: Option<&RefName>) -> Result<Repo> {
        let repo = self.repo_on(name)?;
        if let Some(name) = name.filter(|name| **name != RefName::head())
            && repo.head()?.is_none()
        {
            return Err(Stated::no("not-found", format!("no ref {name}"))
                .hint("pds ref set NAME HEAD makes a branch")
                .into());
        }
        Ok(repo)
    }

    /// Opens the repository for writing on another ref, which may be a new one.
    pub(crate) fn repo_on(&self, name: Option<&RefName>) -> Result<Repo> {
        let repo = self.repo()?;
        Ok(match name {
            Some(name) => repo.on(name.clone()),
            None => repo,
        })
    }

    /// Opens what is to be read.
    pub(crate) fn source(&self) -> Result<Source> {
        let path = self.directory()?;
        if is_a_file(&path) {
            return Ok(Source::Car(Arc::new(open_car(&path)?)));
        }
        Ok(Source::Repo(pds::local::open::open_without_key(&path)?))
    }

    /// Finds where a state is read from, and what names the state there.
    pub(crate) fn path_at<'a>(
        &self,
        at: Option<&'a StateArg>,
    ) -> Result<(PathBuf, Option<&'a Revision>)> {
        Ok(match at {
            None => (self.directory()?, None),
            Some(StateArg::Revision(at)) => (self.directory()?, Some(at)),
            Some(StateArg::File(path)) => (path.clone(), None),
        })
    }

    /// Opens what a state is read from, and says what names the state in it.
    pub(crate) fn source_at<'a>(
        &self,
        at: Option<&'a StateArg>,
    ) -> Result<(Source, Option<&'a Revision>)> {
        Ok(match at {
            None => (self.source()?, None),
            Some(StateArg::Revision(at)) => (self.source()?, Some(at)),
            Some(StateArg::File(path)) => (Source::file(path)?, None),
        })
    }

    /// Opens what is to be read at a state; where that is a CAR file no repository is needed.
    pub(crate) fn snapshot(&self, at: Option<&StateArg>) -> Result<Snapshot> {
        let (source, at) = self.source_at(at)?;
        source.snapshot(at)
    }
}

/// Reads the commit of a CAR file; none where it cannot be read, which whoever takes it in can tell more
/// about.
pub(crate) fn peek(file: &Watched) -> Option<Commit> {
    let mut reader = CarReader::new(FromStart::new(file)).ok()?;
    let root = *reader.roots().first()?;
    let first = reader.next_section().ok()??.block;
    let block = match first.cid() == root {
        true => first.to_block(),
        false => CarFile::open_unchecked(file).ok()?.get(&root).ok()??,
    };
    Commit::decode(&block).ok()
}

impl Source {
    /// Opens a CAR file, or another repository, that was named as a state.
    pub(crate) fn file(path: &Path) -> Result<Self> {
        if pds::local::open::is_repository(path)? {
            return Ok(Self::Repo(pds::local::open::open_without_key(path)?));
        }
        Ok(Self::Car(Arc::new(open_car(path)?)))
    }

    pub(crate) fn snapshot(&self, at: Option<&Revision>) -> Result<Snapshot> {
        let car = match (self, at) {
            (Self::Repo(repo), None) => return Ok(repo.snapshot()?),
            (Self::Repo(repo), Some(at)) => return Ok(repo.checkout(at)?),
            (Self::Car(car), _) => car,
        };
        let no_root = || CarError::Header { reason: "the file has no root".to_owned() };
        let root = *car.roots().first().ok_or_else(no_root)?;
        let snapshot = Snapshot::open(car.clone(), root)?;
        let rev = snapshot.commit().rev().map(|rev| rev.to_string());
        let is_root =
            |at: &str| at == "HEAD" || at == root.to_string() || Some(at) == rev.as_deref();
        match at.map(Revision::to_string).filter(|at| !is_root(at)) {
            None => Ok(snapshot),
            Some(text) => {
                let reason = "the file has one commit only".to_owned();
                Err(Error::Revision(RevisionError { text, reason }).into())
            }
        }
    }
}

/// Opens a CAR file for looking into it: blocks that are damaged are said, and are not there.
fn open_car(path: &Path) -> Result<CarFile<Watched>> {
    let (mut harms, mut unread) = (Harms::of(path), None);
    let car = CarFile::open_reporting(open_file(path)?, &mut |error| match error {
        // What the disk does not give is not to be taken for what the file does not have.
        CarError::Io(_) => unread = Some(error),
        error => harms.add(&error),
    });
    let car = unread.map_or(car, Err);
    let car = car.with_context(|| format!("cannot read {}", path.display()))?;
    harms.tell_rest();
    if harms.count > 0 && car.is_empty() {
        let message = format!("no block can be read in {}", path.display());
        return Err(Stated::bad_input(message).hint(RECOVER).into());
    }
    Ok(car)
}

/// Opens a file for reading from any place in it; a pipe is kept in a temporary file.
pub(crate) fn open_file(path: &Path) -> Result<Watched> {
    let mut pipe: Box<dyn Read> = if path == Path::new(STANDARD_STREAM) {
        Box::new(io::stdin().lock())
    } else {
        let file = open(path)?;
        if file.metadata().is_ok_and(|file| file.is_file()) {
            return Ok(Watched::new(file, "reading"));
        }
        Box::new(file)
    };
    let mut spooled = tempfile::tempfile().context("cannot make a temporary file")?;
    let copied = io::copy(&mut pipe, &mut spooled);
    copied.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Watched::new(spooled, "reading"))
}

/// Opens a file, or standard input, for reading it once.
pub(crate) fn open_stream(path: Option<&Path>) -> Result<Box<dyn Read>> {
    match path {
        Some(path) if path != Path::new(STANDARD_STREAM) => Ok(Box::new(open(path)?)),
        _ => Ok(Box::new(io::stdin().lock())),
    }
}

/// Reads a file, or standard input, that must not be longer than a limit.
pub(crate) fn read_limited(path: Option<&Path>, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_stream(path)?.take(limit as u64 + 1).read_to_end(&mut bytes).context("cannot read")?;
    if bytes.len() > limit {
        return Err(Stated::bad_input(format!("the input is longer than {limit} bytes")).into());
    }
    Ok(bytes)
}

/// Names the file where a file is what the error is about.
pub(crate) fn about_file(error: Error, path: &Path) -> anyhow::Error {
    let is_file = matches!(error, Error::Car(_));
    let error = anyhow::Error::new(error);
    if is_file { error.context(format!("cannot read {}", path.display())) } else { error }
}

/// A record: `collection/rkey`, or an at-uri.
#[derive(Clone, Debug)]
pub(crate) struct RecordArg {
    did: Option<Did>,
    path: RecordPath,
}

impl RecordArg {
    /// Returns the path, whosever it is.
    pub(crate) fn path(&self) -> &RecordPath {
        &self.path
    }

    /// Returns the path, once it is sure that the account is the one that is meant.
    pub(crate) fn path_in(&self, account: &Did) -> Result<&RecordPath> {
        check_account(self.did.as_ref(), account)?;
        Ok(&self.path)
    }
}

impl fmt::Display for RecordArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl FromStr for RecordArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<TargetArg>()? {
            TargetArg { did, collection, rkey: Some(rkey) } => {
                Ok(Self { did, path: RecordPath::new(collection, rkey) })
            }
            TargetArg { .. } => {
                Err("a record has a collection and a key: collection/rkey".to_owned())
            }
        }
    }
}

/// A record, or a collection in which one is to be made.
#[derive(Clone, Debug)]
pub(crate) struct TargetArg {
    did: Option<Did>,
    pub(crate) collection: Nsid,
    pub(crate) rkey: Option<pds::syntax::RecordKey>,
}

impl TargetArg {
    pub(crate) fn check_account(&self, account: &Did) -> Result<()> {
        check_account(self.did.as_ref(), account)
    }
}

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let told = |error: pds::syntax::SyntaxError| error.to_string();
        if text.starts_with("at://") {
            let uri: AtUri = text.parse().map_err(told)?;
            let did = match uri.authority() {
                AtIdentifier::Did(did) => Some(did.clone()),
                AtIdentifier::Handle(_) => {
                    return Err("a handle cannot be looked up offline: use the DID".to_owned());
                }
            };
            let collection = uri.collection().cloned().ok_or("the at-uri has no collection")?;
            return Ok(Self { did, collection, rkey: uri.rkey().cloned() });
        }
        match text.split_once('/') {
            Some(_) => {
                let RecordPath { collection, rkey } = text.parse().map_err(told)?;
                Ok(Self { did: None, collection, rkey: Some(rkey) })
            }
            None => Ok(Self { did: None, collection: text.parse().map_err(told)?, rkey: None }),
        }
    }
}

/// Opens a CAR file, or what a repository in a directory would export: a file with all of its present
/// state, and the commits before it.
pub(crate) fn open_file_or_repository(path: &Path) -> Result<Watched> {
    if !pds::local::open::is_repository(path)? {
        return open_file(path);
    }
    let snapshot = pds::local::open::open_without_key(path)?.snapshot()?;
    let options = ExportOptions { chain: true, ..ExportOptions::default() };
    let file = tempfile::tempfile().context("cannot make a temporary file")?;
    let mut writer = BufWriter::new(file);
    export_with(&snapshot, &options, &mut writer, &mut |_| {})?;
    let file = writer.into_inner().context("cannot write a temporary file")?;
    Ok(Watched::new(file, "reading"))
}

/// Tells whether something is a file, or a pipe that can be read like one.
pub(crate) fn is_a_file(path: &Path) -> bool {
    path == Path::new(STANDARD_STREAM) || (path.exists() && !path.is_dir())
}

/// Checks that the account is the one that was said, if one was.
pub(crate) fn check_account(said: Option<&Did>, account: &Did) -> Result<()> {
    match said {
        Some(said) if said != account => {
            let message = format!("this is the repository of {account}, not of {said}");
            Err(Stated::no("wrong-did", message).into())
        }
        _ => Ok(()),
    }
}

fn open(path: &Path) -> Result<File> {
    if path.is_dir() {
        let message = format!("{} is a directory, not a file", path.display());
        return Err(Stated::bad_input(message).hint("-R DIR names a repository").into());
    }
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Stated::bad_input(format!("no file {}", path.display())).into(),
        _ => anyhow::Error::new(error).context(format!("cannot read {}", path.display())),
    })
}

const RECOVER: &str = "pds recover FILE reads what can be read of it";

/// How standard input and output are named where a file is.
pub(crate) const STANDARD_STREAM: &str = "-";
