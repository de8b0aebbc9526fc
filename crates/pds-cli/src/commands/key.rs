//! `pds key`

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use pds::Repo;
use pds::crypto::{Curve, SigningKey};
use pds::local::key_file;
use pds::local::layout::KEY_FILE;
use pds::local::rotation::rotate_key;
use zeroize::Zeroizing;

use crate::answers::commit::CommitId;
use crate::answers::key::KeyAnswer;
use crate::exit::{Exit, Stated};
use crate::open::{Place, Source};
use crate::output::Output;
use crate::stream::open_stream;
use crate::text::say;

/// Show, import or rotate the signing key
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds key show\n  pds key import secret.txt\n  pass show alice | pds key import -"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: KeyVerb,
}

#[derive(Debug, Subcommand)]
enum KeyVerb {
    /// Print the public key
    #[command(after_help = "Example:\n  pds key show")]
    Show,
    /// Import a signing key: multikey text or raw hex
    ///
    /// The key signs later commits. Stored commits are still checked with the key that was known before, if
    /// there was one.
    #[command(
        after_help = "Examples:\n  pds key import secret.txt\n  pass show alice | pds key import -"
    )]
    Import {
        /// File with the key; - for stdin
        file: PathBuf,

        /// Curve of a key in raw hex [default: k256]
        #[arg(long, value_name = "k256|p256")]
        curve: Option<Curve>,
    },
    /// Create a new key, and sign a commit with it
    ///
    /// The new key signs later commits. The old public key stays in the log; the old secret key is deleted.
    /// Others accept the new commits only after the DID document names the new key.
    #[command(after_help = "Examples:\n  pds key rotate\n  pds key rotate --curve p256")]
    Rotate {
        /// Curve of the new key
        #[arg(long, default_value = "k256", value_name = "k256|p256")]
        curve: Curve,
    },
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            KeyVerb::Show => show(place, out)?,
            KeyVerb::Import { file, curve } => import(place, &file, curve, out)?,
            KeyVerb::Rotate { curve } => rotate(place, curve, out)?,
        }
        Ok(Exit::Done)
    }
}

fn show(place: &Place, out: &mut Output) -> Result<()> {
    let known = match place.source()? {
        Source::Repo(_) => Repo::open(&place.directory()?)?.public_key()?,
        Source::Car(_) => None,
    };
    let key = known.ok_or_else(|| Stated::no("not-found", "the signing key is unknown"))?;
    out.answer(&KeyAnswer::of(&key))
}

fn import(place: &Place, file: &Path, curve: Option<Curve>, out: &mut Output) -> Result<()> {
    let (repo, dir) = (place.mirror()?, place.directory()?);
    let known = repo.public_key()?;
    let key = read_secret(file, curve)?;
    let public = key.public_key();
    let path = dir.join(KEY_FILE);
    // The store comes first: if it is busy, no key file is in the way of the next try. An existing key file is
    // refused below.
    if !path.exists() {
        repo.keys().remember(&public)?;
    }
    key_file::write_new(&path, &key)?;
    if let Some(known) = known.filter(|known| *known != public) {
        say(&format!(
            "note: stored commits are still checked with {known}; the new key signs later commits"
        ));
    }
    out.has_done();
    out.answer(&KeyAnswer::of(&public))
}

fn rotate(place: &Place, curve: Curve, out: &mut Output) -> Result<()> {
    let (repo, commit) = rotate_key(&place.writable()?, curve)?;
    let signing_key = repo.public_key()?.map(|key| key.did_key()).unwrap_or_default();
    out.has_done();
    out.answer(&KeyAnswer { commit: Some(CommitId::of(&commit)), signing_key })?;
    say("note: others accept new commits only after the DID document names the new key");
    Ok(())
}

/// Reads a secret key from a file or standard input. A multikey names its curve, which must match the curve
/// that the user gave.
pub(crate) fn read_secret(file: &Path, curve: Option<Curve>) -> Result<SigningKey> {
    let mut text = Zeroizing::new(String::new());
    // Reserves the full size, so that no copy is left behind when the text grows.
    text.reserve(MAX_SECRET_BYTES);
    let mut from = open_stream(Some(file))?.take(MAX_SECRET_BYTES as u64);
    from.read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => {
            Stated::bad_input("not a signing key: the file is not text").into()
        }
        _ => anyhow::Error::new(error).context("cannot read the key"),
    })?;
    let key = SigningKey::parse(&text, curve.unwrap_or(Curve::K256))
        .map_err(|error| Stated::bad_input(format!("not a signing key: {error}")))?;
    match curve.filter(|curve| *curve != key.curve()) {
        Some(curve) => {
            let message = format!("the file has a {} key, but --curve is {curve}", key.curve());
            Stated::usage(message).fail()
        }
        None => Ok(key),
    }
}

const MAX_SECRET_BYTES: usize = 4096;
