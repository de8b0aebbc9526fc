//! `pds init`

use std::path::PathBuf;

use anyhow::Result;
use pds::crypto::{Curve, SigningKey};
use pds::syntax::Did;

use super::{info, key};
use crate::failure::Exit;
use crate::output::Output;

/// Make a new repository with a signing key and an empty first commit
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pds init alice --did did:web:alice.example.com")]
pub(crate) struct Args {
    /// The directory; it must be empty or not exist
    dir: PathBuf,

    /// The account
    #[arg(long)]
    did: Did,

    /// The curve of the key; k256 if neither this nor the key says it
    #[arg(long, value_name = "k256|p256")]
    curve: Option<Curve>,

    /// A file with the key to use (multikey text or raw hex) instead of a new one; - for stdin
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, out: &mut Output) -> Result<Exit> {
        let key = match &self.key {
            Some(file) => key::read_secret(file, self.curve)?,
            None => SigningKey::generate(self.curve.unwrap_or(Curve::K256))?,
        };
        let repo = pds::local::directory::create_with_key(&self.dir, &self.did, &key)?;
        out.has_done();
        info::Facts::of_repo(&repo, Some(&self.dir))?.print(out)?;
        Ok(Exit::Done)
    }
}
