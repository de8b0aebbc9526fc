//! `pds clone`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::car::CarFile;
use pds::commit::Commit;
use pds::data::Blocks;
use pds::local::database::clone_into_database;
use pds::local::directory::clone_file;
use pds::local::store_place::is_address;
use pds::{Error, Jobs};

use super::{import, info};
use crate::exit::{Exit, Stated};
use crate::identity::IdentityArgs;
use crate::open::{about_file, open_file_or_repository, peek};
use crate::output::Output;
use crate::progress::Watched;
use crate::record_files::directory_name;
use crate::store_arg::StoreArg;

/// Create a repository from a CAR file or another repository
///
/// Everything is verified first. The repository has no signing key: it is a mirror until `pds key import`. From
/// another repository, only the state at HEAD is copied: no other refs, no log, no blobs and no known key.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds clone backup.car\n  pds clone backup.car alice --key did:key:zQ3sh…"
)]
pub(crate) struct Args {
    /// CAR file, or directory or database address of another repository; - for stdin
    source: PathBuf,

    /// Directory to create [default: named after the source, or after the account]
    dir: Option<PathBuf>,

    #[command(flatten)]
    identity: IdentityArgs,

    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    #[command(flatten)]
    store: StoreArg,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let identity = self.identity.read()?;
        let file = open_file_or_repository(&self.source)?;
        let dir = match self.dir {
            Some(dir) => dir,
            None => default_directory(&self.source, &file)?,
        };
        let key = identity.key_for(&file)?;
        let jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        let cloned = match self.store.address()? {
            None => clone_file(&dir, file, key.as_ref(), jobs),
            Some(address) => {
                let did = commit_of(&file, &self.source)?.did().clone();
                clone_into_database(&dir, address, (&did, file), key.as_ref(), jobs)
            }
        };
        let (repo, imported) = cloned.map_err(|error| about_file(error, &self.source))?;
        import::warn(&imported.findings);
        out.has_done();
        out.answer(&info::of_clone(&repo, imported, &dir)?)?;
        Ok(Exit::Done)
    }
}

/// Returns the name of the source without its extension, or the account if the file has no extension.
fn default_directory(source: &Path, file: &Watched) -> Result<PathBuf> {
    if let (Some(name), true) = (source.file_name(), source.is_dir()) {
        return Ok(PathBuf::from(name));
    }
    let is_named = !source.to_str().is_some_and(is_address);
    if let (Some(stem), Some(_), true) = (source.file_stem(), source.extension(), is_named) {
        return Ok(PathBuf::from(stem));
    }
    let commit = commit_of(file, source)?;
    let hint = "name the directory: pds clone SOURCE DIR";
    Ok(PathBuf::from(directory_name(commit.did(), hint)?))
}

/// Reads the commit of a file.
fn commit_of(file: &Watched, path: &Path) -> Result<Commit> {
    if let Some(commit) = peek(file) {
        return Ok(commit);
    }
    let no_commit = || Stated::bad_input("the file has no commit");
    let car = CarFile::open(file).map_err(|error| about_file(Error::Car(error), path))?;
    let root = car.roots().first().ok_or_else(no_commit)?;
    Ok(Commit::decode(&car.get(root)?.ok_or_else(no_commit)?)?)
}
