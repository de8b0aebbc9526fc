//! The repository that a command works on, and the states that it reads.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use pds::car::{CarError, CarFile, CarReader, FromStart};
use pds::commit::Commit;
use pds::data::{Blocks, Cid};
use pds::history::in_file::resolve_in_file;
use pds::local::open::{is_repository, open_without_key};
use pds::local::store_place::is_address;
use pds::store::RefName;
use pds::syntax::Did;
use pds::transfer::export::{ExportOptions, export_with};
use pds::{Code, Error, Repo, Revision, Snapshot};

use crate::arguments::record::Account;
use crate::arguments::state_arg::{Settled, StateArg};
use crate::failures::damage::Damage;
use crate::failures::exit::Stated;
use crate::failures::partial::{note_damage, note_faults};
use crate::input::stream::{RECOVER, check_is_car, is_a_file, open_file};
use crate::process::leftovers::clear_repository;
use crate::process::progress::Watched;
use crate::process::text::name_of;

/// The place of the repository, as the user gave it.
pub(crate) struct Place {
    pub(crate) named: Option<PathBuf>,
}

/// A source to read: a repository, or a CAR file.
pub(crate) enum Source {
    Repo(Repo),
    Car(Arc<CarFile<Watched>>),
}

impl Place {
    /// Returns the directory of the repository: the one given, or the nearest from the current directory
    /// upwards.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        if let Some(named) = &self.named {
            return Ok(named.clone());
        }
        let here = std::env::current_dir().context("cannot find the current directory")?;
        for dir in here.ancestors() {
            if is_repository(dir)? {
                return Ok(dir.to_owned());
            }
        }
        Err(Error::NotARepository(here).into())
    }

    /// Returns the account of this repository, with the handles that are stored for it.
    pub(crate) fn account<'a>(&self, did: impl Into<Option<&'a Did>>) -> Account<'a> {
        Account::in_directory(did.into(), self.directory().ok())
    }

    /// Tells whether a repository or a file is found, without opening it.
    pub(crate) fn is_found(&self) -> bool {
        self.directory().is_ok()
    }

    /// Opens the repository for writing, with its key.
    pub(crate) fn repo(&self) -> Result<Repo> {
        let dir = self.writable()?;
        let repo = Repo::open(&dir)?;
        clear_repository(&dir);
        Ok(repo)
    }

    /// Opens the repository for changes that need no key.
    pub(crate) fn mirror(&self) -> Result<Repo> {
        let dir = self.writable()?;
        let repo = open_without_key(&dir)?;
        clear_repository(&dir);
        Ok(repo)
    }

    /// Opens the repository to plan a change that is not made.
    pub(crate) fn unchanged(&self) -> Result<Repo> {
        Ok(open_without_key(&self.writable()?)?)
    }

    /// Opens the repository to plan a change of a ref that is not made.
    pub(crate) fn unchanged_on(&self, name: Option<&RefName>) -> Result<Repo> {
        let repo = self.unchanged()?;
        Ok(name.map_or_else(|| repo.clone(), |name| repo.on(name.clone())))
    }

    /// Returns the directory of a repository to change; a CAR file is refused.
    pub(crate) fn writable(&self) -> Result<PathBuf> {
        let dir = self.directory()?;
        if is_a_file(&dir) {
            check_is_car(&dir)?;
            let message = format!("{} is a CAR file and is read-only", dir.display());
            return Stated::no("read-only", message)
                .hint("pds clone FILE creates a repository from it")
                .fail();
        }
        if dir.to_str().is_some_and(is_address) {
            let message = "the address of a database is read-only";
            return Stated::no("read-only", message)
                .hint("use the directory that pds init or pds clone made with --store")
                .fail();
        }
        Ok(dir)
    }

    /// Opens the repository for writing to a ref that exists.
    pub(crate) fn branch(&self, name: Option<&RefName>) -> Result<Repo> {
        let repo = self.repo_on(name)?;
        if let Some(name) = name.filter(|name| **name != RefName::head())
            && repo.head()?.is_none()
        {
            return Stated::no("not-found", format!("no ref {name}"))
                .hint("create a branch with pds ref set NAME HEAD")
                .fail();
        }
        Ok(repo)
    }

    /// Opens the repository for writing to a ref, which may be a new one.
    pub(crate) fn repo_on(&self, name: Option<&RefName>) -> Result<Repo> {
        let repo = self.repo()?;
        Ok(match name {
            Some(name) => repo.on(name.clone()),
            None => repo,
        })
    }

    /// Opens the source to read.
    pub(crate) fn source(&self) -> Result<Source> {
        let path = self.directory()?;
        if is_a_file(&path) {
            return Ok(Source::Car(Arc::new(open_car(&path)?)));
        }
        Ok(Source::Repo(open_without_key(&path)?))
    }

    /// Returns the path that a state is read from, and the revision in it.
    pub(crate) fn path_at<'a>(
        &self,
        at: Option<&'a StateArg>,
    ) -> Result<(PathBuf, Option<&'a Revision>)> {
        Ok(match at.map(|at| self.state(at)) {
            None => (self.directory()?, None),
            Some(Settled::Revision(at)) => (self.directory()?, Some(at)),
            Some(Settled::File(path)) => (path.to_owned(), None),
        })
    }

    /// Opens the source that a state is read from, and returns the revision in it.
    pub(crate) fn source_at<'a>(
        &self,
        at: Option<&'a StateArg>,
    ) -> Result<(Source, Option<&'a Revision>)> {
        Ok(match at.map(|at| self.state(at)) {
            None => (self.source()?, None),
            Some(Settled::Revision(at)) => (self.source()?, Some(at)),
            Some(Settled::File(path)) => (Source::file(path)?, None),
        })
    }

    /// Decides whether a state is a revision of this repository or a path.
    pub(crate) fn state<'a>(&self, at: &'a StateArg) -> Settled<'a> {
        at.settled(|revision| match self.source() {
            Ok(Source::Repo(repo)) => knows(&repo, revision),
            Ok(Source::Car(car)) => resolve_in_file(&car, revision).is_ok(),
            Err(_) => false,
        })
    }

    /// Tells whether a state exists. A file that cannot be read exists, too.
    pub(crate) fn has_state(&self, state: &StateArg) -> bool {
        match self.snapshot(Some(state)) {
            Ok(_) => true,
            Err(error) => match error.downcast_ref::<Error>() {
                Some(Error::Revision(error)) => !error.candidates.is_empty(),
                Some(Error::NotARepository(_)) => false,
                _ => true,
            },
        }
    }

    /// Opens a state; a state in a CAR file needs no repository.
    pub(crate) fn snapshot(&self, at: Option<&StateArg>) -> Result<Snapshot> {
        let (source, at) = self.source_at(at)?;
        source.snapshot(at)
    }
}

/// Reads the commit of a CAR file; `None` if it cannot be read, which an import reports in detail.
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
    /// Opens a CAR file or another repository that was given as a state.
    pub(crate) fn file(path: &Path) -> Result<Self> {
        if is_repository(path)? {
            return Ok(Self::Repo(open_without_key(path)?));
        }
        Ok(Self::Car(Arc::new(open_car(path)?)))
    }

    pub(crate) fn snapshot(&self, at: Option<&Revision>) -> Result<Snapshot> {
        let car = match (self, at) {
            (Self::Repo(repo), None) => return Ok(repo.snapshot()?),
            (Self::Repo(repo), Some(at)) => return Ok(repo.checkout(at)?),
            (Self::Car(car), _) => car,
        };
        let commit = resolve_in_file(car, at.unwrap_or(&Revision::head()))?;
        let snapshot = Snapshot::open_with_faults(car.clone(), commit)?;
        note_faults(snapshot.commit());
        Ok(snapshot)
    }
}

/// Decides whether a state is a revision of a repository or a path.
pub(crate) fn state_in<'a>(repo: &Repo, state: &'a StateArg) -> Settled<'a> {
    state.settled(|revision| knows(repo, revision))
}

/// Tells whether a repository has a revision, or several that fit.
fn knows(repo: &Repo, revision: &Revision) -> bool {
    match repo.history().resolve(revision) {
        Err(Error::Revision(error)) => !error.candidates.is_empty(),
        // The file is certain.
        Err(Error::RevisionHidden { .. }) => false,
        _ => true,
    }
}

/// Finds the stored commit that a state names; a file names its own commit.
pub(crate) fn resolve(repo: &Repo, state: &StateArg) -> Result<Cid> {
    let file = match state_in(repo, state) {
        Settled::Revision(revision) => return Ok(repo.history().resolve(revision)?),
        Settled::File(file) => file,
    };
    let snapshot = Source::file(file)?.snapshot(None)?;
    let commit = snapshot.commit().cid();
    match repo.checkout(&commit.into()) {
        Err(error) if error.is_not_found() => {
            let message = format!("commit {commit} of {state} is not stored");
            Stated::no("not-found", message)
                .hint("import it with pds import FILE --ref NAME, or merge it with pds merge FILE")
                .fail()
        }
        found => Ok(found.map(|_| commit)?),
    }
}

/// Opens a CAR file for reading; damaged blocks are reported and count as missing.
fn open_car(path: &Path) -> Result<CarFile<Watched>> {
    let (mut damage, mut unread) = (Damage::of(path), None);
    let car = CarFile::open_reporting(open_file(path)?, &mut |error| match error {
        // A disk error must not look like a block that the file lacks.
        CarError::Io(_) => unread = Some(error),
        error => damage.add(&error),
    });
    let car = unread.map_or(car, Err);
    let car = car.with_context(|| format!("cannot read {}", name_of(path)))?;
    damage.report_rest();
    if damage.count > 0 {
        note_damage();
        if car.is_empty() {
            return Stated::no_block(path).hint(RECOVER).fail();
        }
    }
    Ok(car)
}

/// Adds the path of the file to an error about a file.
pub(crate) fn about_file(error: Error, path: &Path) -> anyhow::Error {
    let is_file = matches!(error, Error::Car(_));
    let error = anyhow::Error::new(error);
    if is_file { error.context(format!("cannot read {}", name_of(path))) } else { error }
}

/// Adds the export to request to the error about a file that lacks blocks. Without a repository, only a full export
/// helps.
pub(crate) fn about_missing_base(error: Error, repo: Option<&Repo>, path: &Path) -> anyhow::Error {
    let is_partial = matches!(&error, Error::Refused(finding) if MISSING.contains(&finding.code()));
    if !is_partial {
        return about_file(error, path);
    }
    let path = name_of(path);
    let present = repo.and_then(|repo| repo.snapshot().ok()?.commit().rev().map(|rev| (repo, rev)));
    let advice = match present {
        Some((repo, rev)) => format!(
            "{path} is cut, or is a slice whose base is not stored; {} is at rev {rev}: request an export with since={rev}, or a full one",
            repo.history().ref_name(),
        ),
        None => {
            format!("{path} is only a part of a repository: request a full export, without since")
        }
    };
    anyhow::Error::new(error).context(advice)
}

/// The findings about blocks that a file does not have.
const MISSING: [Code; 3] = [Code::CommitMissing, Code::NodeMissing, Code::RecordMissing];

/// Opens a CAR file, or the export of a repository: its present state and the chain of its commits.
pub(crate) fn open_file_or_repository(path: &Path) -> Result<Watched> {
    if !is_repository(path)? {
        return open_file(path);
    }
    let snapshot = open_without_key(path)?.snapshot()?;
    let options = ExportOptions::default().chain(true);
    let file = tempfile::tempfile().context("cannot create a temporary file")?;
    let mut writer = BufWriter::new(file);
    export_with(&snapshot, &options, &mut writer, &mut |_| {})?;
    let file = writer.into_inner().context("cannot write a temporary file")?;
    Ok(Watched::new(file, "reading"))
}
