//! `pds clone`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pds::Jobs;
use pds::car::CarFile;
use pds::commit::Commit;
use pds::data::Blocks;

use super::unpack::names_a_directory;
use super::{import, info};
use crate::failure::{Exit, Stated};
use crate::identity::SignedByArg;
use crate::open::{about_file, open_file_or_repository};
use crate::output::Output;
use crate::progress::Watched;

/// Make a repository from a CAR file
///
/// Everything is verified first. The repository has no signing key: it is a mirror until one is
/// imported.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds clone backup.car\n  pds clone backup.car alice --key did:key:zQ3sh…"
)]
pub(crate) struct Args {
    /// The CAR file, or the directory of another repository; - for stdin
    source: PathBuf,

    /// The directory; by default it is named after the source, or the account if that is a file without
    /// an ending
    dir: Option<PathBuf>,

    #[command(flatten)]
    signed_by: SignedByArg,

    /// With how many threads; as many as the machine has if not given
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let file = open_file_or_repository(&self.source)?;
        let dir = match self.dir {
            Some(dir) => dir,
            None => default_directory(&self.source, &file)?,
        };
        let key = self.signed_by.key_for(&file)?;
        let jobs = self.jobs.map_or(Jobs::default(), Jobs::new);
        let (repo, imported) = pds::local::directory::clone_file(&dir, file, key.as_ref(), jobs)
            .map_err(|error| about_file(error, &self.source))?;
        import::warn(&imported.findings);
        out.has_done();
        info::Facts::of_clone(&repo, imported, &dir)?.print(out)?;
        Ok(Exit::Done)
    }
}

/// The name of the source, of a file without its ending; the account where that has none.
fn default_directory(source: &Path, file: &Watched) -> Result<PathBuf> {
    if let (Some(name), true) = (source.file_name(), source.is_dir()) {
        return Ok(PathBuf::from(name));
    }
    if let (Some(stem), Some(_)) = (source.file_stem(), source.extension()) {
        return Ok(PathBuf::from(stem));
    }
    let no_commit = || Stated::bad_input("the file has no commit");
    let car = CarFile::open(file)?;
    let root = car.roots().first().ok_or_else(no_commit)?;
    let commit = Commit::decode(&car.get(root)?.ok_or_else(no_commit)?)?;
    if !names_a_directory(commit.did()) {
        let message = format!("{} is too long for the name of a directory", commit.did());
        return Err(Stated::no("name-too-long", message)
            .hint("pds clone SOURCE DIR names one")
            .into());
    }
    Ok(PathBuf::from(commit.did().as_str()))
}
