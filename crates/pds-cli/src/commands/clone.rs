//! `pds clone`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::car::CarFile;
use pds::commit::Commit;
use pds::crypto::PublicKey;
use pds::data::Blocks;
use pds::repo::Repo;

use super::{import, info};
use crate::failure::{Exit, Stated};
use crate::open::{STANDARD_STREAM, open_file};
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
    /// The CAR file; - for stdin
    source: PathBuf,

    /// The directory; by default it is named after the file
    dir: Option<PathBuf>,

    /// The key that must have signed the commit
    #[arg(long, value_name = "DID_KEY")]
    key: Option<PublicKey>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let name = || format!("cannot read {}", self.source.display());
        let car = CarFile::open(open_file(&self.source)?).with_context(name)?;
        let dir = match self.dir {
            Some(dir) => dir,
            None => default_directory(&self.source, &car)?,
        };
        let (repo, imported) = Repo::clone_car(&dir, &car, self.key.as_ref())?;
        import::warn(&imported.findings);
        info::Facts::of_repo(&repo, Some(&dir))?.print(out)?;
        Ok(Exit::Done)
    }
}

/// The name of the file without its ending, or the account where there is no file.
fn default_directory(source: &Path, car: &CarFile<Watched>) -> Result<PathBuf> {
    if source != Path::new(STANDARD_STREAM)
        && let Some(stem) = source.file_stem()
    {
        let dir = PathBuf::from(stem);
        if dir != source {
            return Ok(dir);
        }
    }
    let no_commit = || Stated::bad_input("the file has no commit");
    let root = car.roots().first().ok_or_else(no_commit)?;
    let commit = Commit::decode(&car.get(root)?.ok_or_else(no_commit)?)?;
    Ok(PathBuf::from(commit.did().as_str()))
}
