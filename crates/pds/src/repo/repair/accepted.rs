//! What past states have lost, and nobody waits for any more.

use std::collections::{BTreeSet, HashSet};

use super::Lost;
use crate::data::Cid;
use crate::repo::{Repo, Result};

impl Repo {
    /// Takes note of what past states have lost, as a repair has told of it: [`gc`](Self::gc) no longer
    /// insists on reading it. What the present state of a ref has lost is never passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::repo::Error::Store).
    pub fn accept_losses(&self, lost: &[Lost]) -> Result<()> {
        let refs = self.store.refs()?;
        let is_present = |commit: Cid| refs.entries.iter().any(|(_, head)| *head == commit);
        let past = lost.iter().filter(|lost| !is_present(lost.commit));
        let past: BTreeSet<String> = past.map(|lost| lost.cid.to_string()).collect();
        let text = past.into_iter().collect::<Vec<_>>().join(" ");
        let text = Some(text).filter(|text| !text.is_empty());
        if text != self.store.meta(META_LOST)? {
            self.store.set_meta(META_LOST, text.as_deref())?;
        }
        Ok(())
    }

    /// What a repair has told of as lost of the past.
    pub(in crate::repo) fn known_losses(&self) -> Result<HashSet<Cid>> {
        let text = self.store.meta(META_LOST)?.unwrap_or_default();
        Ok(text.split_whitespace().filter_map(|cid| cid.parse().ok()).collect())
    }
}

/// What a repair has told of as lost of the past: the CIDs of commits, tree nodes and records.
pub(in crate::repo) const META_LOST: &str = "lost";
