//! `pds init`

use std::path::PathBuf;

use anyhow::Result;
use pds::crypto::{Curve, SigningKey};
use pds::local::database::create_in_database;
use pds::local::directory::create_with_key;
use pds::syntax::Did;

use super::info;
use crate::arguments::store_arg::StoreArg;
use crate::failures::exit::Exit;
use crate::input::secret_file::read_secret;
use crate::process::destination::check_is_outside;
use crate::process::leftovers::{clear_beside, clear_repository};
use crate::process::output::Output;
use crate::repository::clock::warn_of_release;
use crate::repository::made::Made;
use crate::screens::info as screen;

/// Create a repository with a new signing key and an empty first commit
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pds init alice --did did:web:alice.example.com\n  \
    pds init alice --did did:web:alice.example.com --store postgres://localhost/repos")]
pub(crate) struct Args {
    /// Directory to create; it must be empty or not exist
    dir: PathBuf,

    /// Account of the repository
    #[arg(long)]
    did: Did,

    /// Curve of the key [default: the curve of the given key, or k256]
    #[arg(long, value_name = "k256|p256")]
    curve: Option<Curve>,

    /// Use the key in this file (multikey text, hexadecimal digits or 32 bytes) instead of a new one; - for stdin
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    #[command(flatten)]
    store: StoreArg,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        check_is_outside(&self.dir)?;
        let key = match &self.key {
            Some(file) => read_secret(file, self.curve)?,
            None => SigningKey::generate(self.curve.unwrap_or(Curve::K256))?,
        };
        warn_of_release(out);
        if let Some(reason) = self.did.account_fault() {
            out.warn(format!("no account can have {}: {reason}", self.did));
        }
        clear_beside(&self.dir);
        let made = Made::at(&self.dir);
        let repo = match self.store.address()? {
            None => create_with_key(&self.dir, &self.did, &key),
            Some(address) => create_in_database(&self.dir, address, &self.did, &key),
        };
        let repo = repo.inspect_err(|_| made.note(out))?;
        clear_repository(&self.dir);
        out.has_done();
        let info = info::of_repo(&repo, &self.dir)?;
        let dir = self.dir.display().to_string();
        out.show(&info, |terminal| screen::created(&dir, &info, terminal))?;
        Ok(Exit::Done)
    }
}
