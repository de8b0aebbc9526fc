//! `pds clone`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pds::crypto::PublicKey;
use pds::repo::Repo;

use super::{import, info};
use crate::failure::{Exit, Stated};
use crate::open::{STANDARD_STREAM, open_file};
use crate::output::Output;

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

    /// The directory; by default the name of the file without its ending
    dir: Option<PathBuf>,

    /// The key that must have signed the commit
    #[arg(long, value_name = "DID_KEY")]
    key: Option<PublicKey>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let file = open_file(&self.source)?;
        let dir = match self.dir {
            Some(dir) => dir,
            None => default_directory(&self.source)?,
        };
        let (repo, imported) = Repo::clone_file(&dir, file, self.key.as_ref())
            .with_context(|| format!("cannot clone {}", self.source.display()))?;
        import::warn(&imported.findings);
        info::Facts::of_repo(&repo, Some(&dir))?.print(out)?;
        Ok(Exit::Done)
    }
}

/// The name of the file without its ending.
fn default_directory(source: &Path) -> Result<PathBuf> {
    match source.file_stem().map(PathBuf::from) {
        Some(dir) if dir != source && source != Path::new(STANDARD_STREAM) => Ok(dir),
        _ => Err(Stated::usage("name the directory as well: pds clone SOURCE DIR").into()),
    }
}
