//! Atomic key rotation for a repository in a directory.
//!
//! The new secret is written to its own file before it signs anything. After the commit and the new key are
//! stored, the file replaces that of the old secret. An interrupted rotation is completed or undone when the
//! repository is opened next: the key that the store records shows whether the commit was stored.
//!
//! A secret of another process is never deleted, because others may rely on its public key.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::local::key_file;
use crate::local::key_file::KeyFileError;
use crate::local::layout::{KEY_FILE, NEXT_KEY_FILE, UNUSED_KEY_FILES};
use crate::local::locks::{lock, sync};
use crate::local::open::{open_settled, open_without_key};
use crate::repo::Repo;
use pds_core::commit::Commit;
use pds_core::crypto::curve::Curve;
use pds_core::crypto::signing_key::SigningKey;

/// Makes a new signing key for the repository in a directory, and signs the present state with it. Deletes the
/// secret of the old key.
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`Repo::open`] and [`Keys::rotate`](crate::keys::handle::Keys::rotate).
pub fn rotate_key(dir: &Path, curve: Curve) -> Result<(Repo, Commit)> {
    open_without_key(dir)?;
    let _lock = lock(dir)?;
    settle(dir)?;
    let repo = open_settled(dir)?;
    if !repo.keys().can_sign() {
        return Err(Error::NoSigner);
    }
    let key = SigningKey::generate(curve)?;
    key_file::write_new(&dir.join(NEXT_KEY_FILE), &key)?;
    match repo.keys().rotate(&key) {
        Ok(commit) => {
            settle(dir)?;
            Ok((repo.signing_with(key), commit))
        }
        Err(error) => {
            // No other process has seen the new key, so it is deleted. If that fails as well, the next
            // opening sets it aside.
            let _ = settle_or(dir, &|next, _| fs::remove_file(next).map_err(Error::io(next)));
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

/// Moves the next key into place if the store records it, and sets it aside otherwise.
fn settle(dir: &Path) -> Result<()> {
    settle_or(dir, &set_aside)
}

/// Moves the next key into place if the store records it, and calls `otherwise` if not.
fn settle_or(dir: &Path, otherwise: &dyn Fn(&Path, &SigningKey) -> Result<()>) -> Result<()> {
    let next = dir.join(NEXT_KEY_FILE);
    let Some(key) = key_file::read(&next)? else { return Ok(()) };
    let repo = open_without_key(dir)?;
    if repo.keys().known()? == Some(key.public_key()) {
        let place = dir.join(KEY_FILE);
        fs::rename(&next, &place).map_err(Error::io(&place))?;
    } else {
        otherwise(&next, &key)?;
    }
    sync(dir)
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
