//! A new key for a repository in a directory: the old state or the new one, wherever it stops.
//!
//! The new secret is on disk before anything is signed with it, in a file of its own, and takes the
//! place of the old one only after the commit is stored, with the new key as that of the repository. What
//! an interruption leaves is settled when the repository is opened next: the key that the store names
//! tells whether there was a commit. A secret that another process left is never deleted: others may have
//! seen its public key and rely on it.

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

/// Makes a new signing key for the repository in a directory and signs the present state with it. The secret
/// of the old key is deleted.
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
            // Nobody has seen what was made for it. Where this fails too, it is set aside when the
            // repository is opened next.
            let _ = settle_or(dir, &|next, _| fs::remove_file(next).map_err(Error::io(next)));
            Err(error)
        }
    }
}

/// Ends a change of the key that was interrupted, if there was one.
pub(crate) fn settle_interrupted(dir: &Path) -> Result<()> {
    if dir.join(NEXT_KEY_FILE).exists() {
        let _lock = lock(dir)?;
        settle(dir)?;
    }
    Ok(())
}

/// Puts the next key in its place, or sets it aside where it did not take over.
fn settle(dir: &Path) -> Result<()> {
    settle_or(dir, &set_aside)
}

/// Puts the next key in its place, or does something else with it where it did not take over.
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

/// Gives a secret the name of its public key. It is written again, not linked: that goes wherever the
/// first file could be made.
fn set_aside(next: &Path, key: &SigningKey) -> Result<()> {
    let did_key = key.public_key().did_key();
    let name = did_key.trim_start_matches("did:key:");
    let aside = next.with_file_name(format!("{UNUSED_KEY_FILES}{name}"));
    match key_file::write_new(&aside, key) {
        Err(exists @ KeyFileError::Exists { .. }) => {
            // It has been set aside before, unless that file is something else by now.
            let known = key_file::read(&aside)?.map(|known| known.public_key());
            if known != Some(key.public_key()) {
                return Err(exists.into());
            }
        }
        written => written?,
    }
    fs::remove_file(next).map_err(Error::io(next))
}
