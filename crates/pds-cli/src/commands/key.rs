//! `pds key`

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use pds::Repo;
use pds::crypto::{Curve, PublicKey, SigningKey};
use pds::local::key_file;
use pds::local::layout::KEY_FILE;
use pds::local::open::open_without_key;
use pds::local::rotation::{RotateOptions, rotate_key_with};

use crate::answers::commit::CommitId;
use crate::answers::key::KeyAnswer;
use crate::arguments::identity::{Identity, IdentityArgs};
use crate::arguments::record::check_account;
use crate::failures::exit::{Exit, Stated};
use crate::input::secret_file::read_secret;
use crate::input::stream::STANDARD_STREAM;
use crate::process::destination::{check_is_free, directory_of};
use crate::process::leftovers::clear_keys;
use crate::process::output::Output;
use crate::process::questions::{can_ask, confirm, declined};
use crate::process::text::say;
use crate::repository::clock::ClockArg;
use crate::repository::open::{Place, Source};

/// Show, create, import or rotate the signing key
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
    /// Write a new key to a file, and nothing else
    ///
    /// The file has the secret key as multikey text, and only its owner can read it. No repository is changed. Prints the
    /// public key. pds init --key FILE and pds key import FILE read the file.
    #[command(
        after_help = "Examples:\n  pds key new rotation.key\n  pds key new spare.key --curve p256"
    )]
    New {
        /// File to write; an existing file is not overwritten
        file: PathBuf,

        /// Curve of the key
        #[arg(long, default_value = "k256", value_name = "k256|p256")]
        curve: Curve,
    },
    /// Import a signing key: multikey text, hexadecimal digits or 32 bytes
    ///
    /// The key signs later commits. Stored commits are still checked with the key that was known before. If none was
    /// known, those that the key signed are checked with it, and the others stay unchecked. With --key, --did-doc or
    /// --plc-log, it must be the present key of the account.
    #[command(
        after_help = "Examples:\n  pds key import secret.txt\n  pass show alice | pds key import -"
    )]
    Import {
        /// File with the key; - for stdin
        file: PathBuf,

        /// Curve of a key in hexadecimal digits or bytes [default: k256]
        #[arg(long, value_name = "k256|p256")]
        curve: Option<Curve>,

        #[command(flatten)]
        identity: Box<IdentityArgs>,

        #[command(flatten)]
        clock: ClockArg,
    },
    /// Create a new key, and sign a commit with it
    ///
    /// The new key signs later commits. The old public key stays in the repository. The old secret key is kept in the
    /// file key.old (or key.old.1 and so on), because a copy of the repository may still need it. Others accept the new
    /// commits only after the DID document names the new key.
    #[command(
        after_help = "Examples:\n  pds key rotate\n  pds key rotate --curve p256 --discard-old"
    )]
    Rotate {
        /// Curve of the new key
        #[arg(long, default_value = "k256", value_name = "k256|p256")]
        curve: Curve,

        /// Overwrite and delete the old secret key
        #[arg(long)]
        discard_old: bool,

        /// With --discard-old: do it without a question
        #[arg(long, requires = "discard_old")]
        yes: bool,

        #[command(flatten)]
        clock: ClockArg,
    },
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        match self.verb {
            KeyVerb::Show => show(place, out)?,
            KeyVerb::New { file, curve } => new(&file, curve, out)?,
            KeyVerb::Import { file, curve, identity, clock } => {
                import(place, &read_secret(&file, curve)?, &identity.read()?, clock, out)?;
            }
            KeyVerb::Rotate { curve, discard_old, yes, clock } => {
                if discard_old && !yes && can_ask() && !confirm(DISCARD)? {
                    return declined();
                }
                let options = RotateOptions::new(curve).discard_old(discard_old);
                rotate(place, options.accept_clock(clock.accept_clock), out)?;
            }
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

fn new(file: &Path, curve: Curve, out: &mut Output) -> Result<()> {
    if file == Path::new(STANDARD_STREAM) {
        let message = "a secret key is written to a file, not to standard output";
        return Stated::usage(message)
            .hint("pds key new FILE writes one; ./- names a file -")
            .fail();
    }
    check_is_free(file, false)?;
    clear_keys(directory_of(file));
    let key = SigningKey::generate(curve)?;
    key_file::write_new(file, &key)?;
    out.has_done();
    out.answer(&KeyAnswer::of(&key.public_key()))
}

fn import(
    place: &Place,
    key: &SigningKey,
    identity: &Identity,
    clock: ClockArg,
    out: &mut Output,
) -> Result<()> {
    let (repo, dir) = (place.mirror()?, place.directory()?);
    let known = repo.public_key()?;
    let public = key.public_key();
    identity.check_key(&public)?;
    if let Some(did) = repo.did()? {
        check_account(identity.did(), &did)?;
    }
    let repo = clock.on(repo, out)?;
    let path = dir.join(KEY_FILE);
    // The store comes first: if it is busy, no key file is in the way of the next try. An existing key file is
    // refused below.
    if !path.exists() {
        repo.keys().remember(&public)?;
    }
    key_file::write_new(&path, key)?;
    match known {
        Some(known) if known != public => say(&format!(
            "note: stored commits are still checked with {known}; the new key signs later commits"
        )),
        None if !is_key_of_head(&repo, &public) => say(
            "note: the key did not sign the present commit, whose signature stays unchecked; the key signs later commits",
        ),
        _ => {}
    }
    out.has_done();
    out.answer(&KeyAnswer::of(&public))
}

/// Tells whether the present commit is signed with a key. A commit that cannot be read is reported elsewhere.
fn is_key_of_head(repo: &Repo, key: &PublicKey) -> bool {
    repo.snapshot().map_or(true, |head| head.commit().verify(key).is_ok())
}

fn rotate(place: &Place, options: RotateOptions, out: &mut Output) -> Result<()> {
    let dir = place.writable()?;
    ClockArg { accept_clock: options.accept_clock }.on(open_without_key(&dir)?, out)?;
    let (repo, commit) = rotate_key_with(&dir, &options)?;
    let signing_key = repo.public_key()?.map(|key| key.did_key()).unwrap_or_default();
    out.has_done();
    out.answer(&KeyAnswer { commit: Some(CommitId::of(&commit)), signing_key })?;
    say("note: others accept new commits only after the DID document names the new key");
    Ok(())
}

const DISCARD: &str = "The old secret key is deleted. Copies of the repository that still sign with it stay behind.\n\
    Delete it?";
