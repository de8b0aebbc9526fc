//! `pds key`

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use pds::Repo;
use pds::crypto::{Curve, SigningKey};
use pds::local::key_file;
use pds::local::layout::KEY_FILE;
use serde_json::json;
use zeroize::Zeroizing;

use crate::failure::{Exit, Stated};
use crate::open::{Place, Source, open_stream};
use crate::output::{Output, commit_json, say};

/// The key that commits are signed with
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds key show\n  pds key import secret.txt\n  pass show alice | pds key import -"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the public key
    #[command(after_help = "Example:\n  pds key show")]
    Show,
    /// Give a repository its key: multikey text or raw hex
    ///
    /// It signs what is written from then on. What is here already is still expected to be signed with the
    /// key that was known before, if one was.
    #[command(
        after_help = "Examples:\n  pds key import secret.txt\n  pass show alice | pds key import -"
    )]
    Import {
        /// The file; - for stdin
        file: PathBuf,

        /// The curve of a key in raw hex; k256 if not given
        #[arg(long, value_name = "k256|p256")]
        curve: Option<Curve>,
    },
    /// Make a new key, and sign a commit with it
    ///
    /// From then on it signs; the old public key stays in the log, the old secret goes. Others learn
    /// of it from the DID document, which must name the new key before they take in new commits.
    #[command(after_help = "Examples:\n  pds key rotate\n  pds key rotate --curve p256")]
    Rotate {
        /// The curve of the new key
        #[arg(long, default_value = "k256", value_name = "k256|p256")]
        curve: Curve,
    },
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            Verb::Show => {
                let known = match place.source()? {
                    Source::Repo(_) => Repo::open(&place.directory()?)?.public_key()?,
                    Source::Car(_) => None,
                };
                let Some(key) = known else {
                    return Err(Stated::no("not-found", "the key is not known").into());
                };
                print(&key.did_key(), out)?;
            }
            Verb::Import { file, curve } => {
                let (repo, dir) = (place.mirror()?, place.directory()?);
                let known = repo.public_key()?;
                let key = read_secret(&file, curve)?;
                let public = key.public_key();
                let path = dir.join(KEY_FILE);
                // The store comes first: where it is busy, no key file stands in the way of the next
                // try. A key that is there already is refused below.
                if !path.exists() {
                    repo.keys().remember(&public)?;
                }
                key_file::write_new(&path, &key)?;
                if let Some(known) = known.filter(|known| *known != public) {
                    say(&format!(
                        "note: commits that are here stay those of {known}; this key signs what comes"
                    ));
                }
                out.has_done();
                print(&public.did_key(), out)?;
            }
            Verb::Rotate { curve } => {
                let (repo, commit) = pds::local::rotation::rotate_key(&place.writable()?, curve)?;
                let key = repo.public_key()?.map(|key| key.did_key()).unwrap_or_default();
                let (cid, rev) = (commit.cid(), commit.rev());
                out.has_done();
                out.answer(
                    || key.clone(),
                    || json!({ "signingKey": key, "commit": commit_json(cid, rev) }),
                )?;
                say(
                    "note: the DID document must name the new key before others take in new commits",
                );
            }
        }
        Ok(Exit::Done)
    }
}

/// Reads a secret key from a file or standard input. A multikey has a curve of its own, which must be the
/// one that was asked for.
pub(crate) fn read_secret(file: &Path, curve: Option<Curve>) -> Result<SigningKey> {
    let mut text = Zeroizing::new(String::new());
    // Room for all of it, so that no copy is left behind when the text grows.
    text.reserve(MAX_SECRET_BYTES);
    let mut from = open_stream(Some(file))?.take(MAX_SECRET_BYTES as u64);
    from.read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Stated::bad_input("not a signing key: not text").into(),
        _ => anyhow::Error::new(error).context("cannot read the key"),
    })?;
    let key = SigningKey::parse(&text, curve.unwrap_or(Curve::K256))
        .map_err(|error| Stated::bad_input(format!("not a signing key: {error}")))?;
    match curve.filter(|curve| *curve != key.curve()) {
        Some(curve) => {
            let message = format!("it is a {} key, and --curve says {curve}", key.curve());
            Err(Stated::usage(message).into())
        }
        None => Ok(key),
    }
}

fn print(did_key: &str, out: &mut Output) -> Result<()> {
    out.answer(|| did_key.to_owned(), || json!({ "signingKey": did_key }))
}

const MAX_SECRET_BYTES: usize = 4096;
