//! Atomic key rotation for a repository in a directory.
//!
//! The new secret is written to its own file before it signs anything. After the commit and the new key are
//! stored, the old secret is copied to a file of its own, and the file of the new one replaces it. An interrupted
//! rotation is completed or undone when the repository is opened next: the key that the store records shows whether
//! the commit was stored.
//!
//! A secret of another process is never deleted, because others may rely on its public key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::local::key_file;
use crate::local::key_file::KeyFileError;
use crate::local::layout::{KEY_FILE, NEXT_KEY_FILE, OLD_KEY_FILES, UNUSED_KEY_FILES};
use crate::local::locks::{lock, sync};
use crate::local::open::{open_settled, open_without_key};
use crate::repo::Repo;
use pds_core::commit::Commit;
use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;

/// The options of a key rotation in a directory.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RotateOptions {
    /// The curve of the new key.
    pub curve: Curve,
    /// Delete the old secret. Otherwise it is kept in a file `key.old`, or `key.old.1` and so on.
    pub discard_old: bool,
    /// Sign even if the clock is far from the newest time that the repository knows.
    pub accept_clock: bool,
}

impl RotateOptions {
    /// Makes options for a new key on a curve. The old secret is kept.
    #[must_use]
    pub fn new(curve: Curve) -> Self {
        Self { curve, discard_old: false, accept_clock: false }
    }

    /// Deletes or keeps the old secret.
    #[must_use]
    pub fn discard_old(mut self, discard: bool) -> Self {
        self.discard_old = discard;
        self
    }

    /// Accepts or refuses a clock that is far from the newest time that the repository knows.
    #[must_use]
    pub fn accept_clock(mut self, accept: bool) -> Self {
        self.accept_clock = accept;
        self
    }
}

/// Makes a new signing key for the repository in a directory, and signs the present state with it. The old secret
/// is kept in `key.old`.
///
/// ```
/// use pds::crypto::Curve;
/// use pds::Repo;
/// use pds::local::rotation::rotate_key;
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path().join("alice");
/// let old = Repo::create(&dir, &"did:web:example.com".parse()?)?.public_key()?;
/// let (repo, _) = rotate_key(&dir, Curve::P256)?;
/// assert_ne!(repo.public_key()?, old);
/// assert!(dir.join("key.old").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`Repo::open`] and [`Keys::rotate`](crate::keys::handle::Keys::rotate).
pub fn rotate_key(dir: impl AsRef<Path>, curve: Curve) -> Result<(Repo, Commit)> {
    rotate_key_with(dir, &RotateOptions::new(curve))
}

/// Makes a new signing key as [`rotate_key`] does, with options.
///
/// A discarded secret is overwritten and deleted. If the process is killed before that, it is kept in `key.old`.
///
/// # Errors
///
/// As [`rotate_key`]. [`Error::Unsettled`] if the commit is stored and the key files could not be completed; the next
/// opening then keeps the old secret in `key.old`. [`Error::SecretLeft`] if all is done, and a discarded secret could
/// not be erased, or its file belongs to others as well, because `key` was a link.
pub fn rotate_key_with(dir: impl AsRef<Path>, options: &RotateOptions) -> Result<(Repo, Commit)> {
    let dir = dir.as_ref();
    open_without_key(dir)?;
    let _lock = lock(dir)?;
    settle(dir)?;
    let mut repo = open_settled(dir)?;
    if !repo.keys().can_sign() {
        return Err(Error::NoSigner);
    }
    if options.accept_clock {
        repo = repo.accepting_clock();
    }
    let key = SigningKey::generate(options.curve)?;
    key_file::write_new(dir.join(NEXT_KEY_FILE), &key)?;
    match repo.keys().rotate(&key) {
        Ok(commit) => {
            let old = if options.discard_old { OldSecret::Discard } else { OldSecret::Keep };
            let settled = settle_or(dir, old, &set_aside).and_then(|()| open_settled(dir));
            let unsettled = |error| match error {
                left @ Error::SecretLeft { .. } => left,
                error => Error::Unsettled { commit: commit.cid(), source: Box::new(error) },
            };
            Ok((settled.map_err(unsettled)?, commit))
        }
        Err(error) => {
            // No other process has seen the new key, so it is deleted. If that fails as well, the next
            // opening sets it aside.
            let delete =
                |next: &Path, _: &SigningKey| fs::remove_file(next).map_err(Error::io(next));
            let _ = settle_or(dir, OldSecret::Keep, &delete);
            Err(error)
        }
    }
}

/// Completes or undoes an interrupted rotation, if there is one.
pub(crate) fn settle_interrupted(dir: &Path) -> Result<()> {
    if dir.join(NEXT_KEY_FILE).exists() {
        let _lock = lock(dir)?;
        settle(dir)?;
    }
    Ok(())
}

/// Whether the old secret is kept when the new one replaces it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OldSecret {
    Keep,
    Discard,
}

/// Moves the next key into place if the store records it, and sets it aside otherwise.
fn settle(dir: &Path) -> Result<()> {
    settle_or(dir, OldSecret::Keep, &set_aside)
}

/// Moves the next key into place if the store records it, and calls `otherwise` if not.
fn settle_or(
    dir: &Path,
    old: OldSecret,
    otherwise: &dyn Fn(&Path, &SigningKey) -> Result<()>,
) -> Result<()> {
    let next = dir.join(NEXT_KEY_FILE);
    let Some(key) = key_file::read(&next)? else { return Ok(()) };
    let repo = open_without_key(dir)?;
    if repo.keys().known()? != Some(key.public_key()) {
        otherwise(&next, &key)?;
        return sync(dir);
    }
    let place = dir.join(KEY_FILE);
    if old == OldSecret::Keep {
        keep_old(dir, &key)?;
    }
    // The name is gone after the change, so the file is opened before it.
    let discarded = (old == OldSecret::Discard).then(|| (target(&place), open_own(&place)));
    fs::rename(&next, &place).map_err(Error::io(&place))?;
    sync(dir)?;
    let Some((path, opened)) = discarded else { return Ok(()) };
    // The secret has no name any more. Some file systems do not overwrite in place.
    opened.and_then(erase).map_err(|source| Error::SecretLeft { path, source })
}

/// Copies the secret of the old key to a file of its own, unless an interrupted run has done so.
fn keep_old(dir: &Path, new: &SigningKey) -> Result<()> {
    let Some(old) = key_file::read(dir.join(KEY_FILE))? else { return Ok(()) };
    if old.public_key() == new.public_key() {
        return Ok(());
    }
    let mut place = dir.join(OLD_KEY_FILES);
    for number in 1_u64.. {
        match key_file::write_new(&place, &old) {
            Err(KeyFileError::Exists { .. }) => {
                let kept = key_file::read(&place).ok().flatten();
                if kept.is_some_and(|kept| kept.public_key() == old.public_key()) {
                    break;
                }
                place = dir.join(format!("{OLD_KEY_FILES}.{number}"));
            }
            written => {
                written?;
                break;
            }
        }
    }
    Ok(())
}

/// Opens a file for writing, if the path is a file of this directory and not a link to another one.
fn open_own(path: &Path) -> io::Result<File> {
    match path.symlink_metadata()?.is_file() {
        true => OpenOptions::new().write(true).open(path),
        false => {
            Err(io::Error::other("the key file is a link, and its target may belong to others"))
        }
    }
}

/// Returns the file that a path or a link leads to.
fn target(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Overwrites a file with zeros.
fn erase(mut file: File) -> io::Result<()> {
    let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.write_all(&vec![0; bytes.min(key_file::MAX_FILE_SIZE_BYTES)])?;
    file.sync_all()
}

/// Renames the file of a secret after its public key. The secret is written again and not linked, because some
/// file systems have no links.
fn set_aside(next: &Path, key: &SigningKey) -> Result<()> {
    let did_key = key.public_key().did_key();
    let name = did_key.trim_start_matches("did:key:");
    let aside = next.with_file_name(format!("{UNUSED_KEY_FILES}{name}"));
    match key_file::write_new(&aside, key) {
        Err(exists @ KeyFileError::Exists { .. }) => {
            // An earlier run has set it aside, unless the file has another content now.
            let known = key_file::read(&aside)?.map(|known| known.public_key());
            if known != Some(key.public_key()) {
                return Err(exists.into());
            }
        }
        written => written?,
    }
    fs::remove_file(next).map_err(Error::io(next))
}
