//! The signer of a handle, which follows a key change by another process.

use std::sync::{Arc, PoisonError, RwLock};

use crate::error::Result;
use pds_core::crypto::signer::Signer;

/// Reads the signer of a directory again.
pub(crate) type SignerSource = dyn Fn() -> Result<Option<Arc<dyn Signer>>> + Send + Sync;

/// A signer, and the place that it is read from again after another process has changed the key.
pub(crate) struct SignerSlot {
    present: RwLock<Arc<dyn Signer>>,
    source: Option<Box<SignerSource>>,
}

impl SignerSlot {
    /// Makes a slot with a signer that stays.
    pub(crate) fn fixed(signer: Arc<dyn Signer>) -> Self {
        Self { present: RwLock::new(signer), source: None }
    }

    /// Makes a slot with a signer that is read from a source again.
    #[cfg(feature = "sqlite")]
    pub(crate) fn from_source(signer: Arc<dyn Signer>, source: Box<SignerSource>) -> Self {
        Self { present: RwLock::new(signer), source: Some(source) }
    }

    /// Returns the signer.
    pub(crate) fn get(&self) -> Arc<dyn Signer> {
        self.present.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the signer again, and returns it.
    pub(crate) fn renew(&self) -> Result<Arc<dyn Signer>> {
        if let Some(source) = &self.source
            && let Some(signer) = source()?
        {
            *self.present.write().unwrap_or_else(PoisonError::into_inner) = signer;
        }
        Ok(self.get())
    }
}
