//! Which key signs here.

use std::sync::Arc;

use super::{Error, META_KEY, Repo, Result};
use crate::crypto::{PublicKey, Signer};

impl Repo {
    /// Returns the key that the store says commits are signed with, whoever holds this handle.
    pub(super) fn known_key(&self) -> Result<Option<PublicKey>> {
        let known = self.store.meta(META_KEY)?;
        Ok(known.map(|text| PublicKey::from_did_key(&text)).transpose()?)
    }

    /// Returns the signer, once it is sure that it signs with the key of this repository.
    pub(super) fn known_signer(&self) -> Result<&Arc<dyn Signer>> {
        let signer = self.signer.as_ref().ok_or(Error::NoSigner)?;
        match self.known_key()? {
            Some(expected) if expected != signer.public_key() => {
                let found = signer.public_key();
                Err(Error::WrongKey { expected: Box::new(expected), found: Box::new(found) })
            }
            _ => Ok(signer),
        }
    }
}
