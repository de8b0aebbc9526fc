//! The rules for the commit that an import points a ref to: it must be later than the present one, and must not
//! drop records that were written here.

use crate::error::{Error, Result};
use crate::history::origin::{Descent, descent, foreign_bases, is_local};
use crate::parts::Parts;
use crate::reading::Reading;
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::diff::{Change, diff_across};
use pds_core::mst::error::MstError;
use pds_core::mst::tree::get;

/// The rules that a caller has lifted. Without any of them, an import accepts only a later commit that has all local
/// records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Succession {
    /// Accept an older commit.
    pub(crate) allows_older: bool,
    /// Accept a commit that lacks records that were written here.
    pub(crate) allows_loss: bool,
    /// Accept another commit with the same rev.
    pub(crate) allows_same_rev: bool,
}

/// The changes made here that a new state does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LocalChanges {
    /// The number of records whose local version the new state does not have.
    pub(crate) lost: u64,
    /// The number of records that were deleted here, and that the new state has.
    pub(crate) returned: u64,
}

/// A present state with local changes that another commit is not known to contain.
pub(crate) struct Fork<'a> {
    present: &'a Commit,
    /// Whether the other commit is known not to descend from the present one.
    pub(crate) is_certain: bool,
    /// The states from elsewhere that the present one is based on.
    bases: Vec<Commit>,
}

impl Succession {
    /// Checks the rev of a commit against the present one.
    pub(crate) fn check_rev(self, parts: &Parts, commit: &Commit, present: &Commit) -> Result<()> {
        if !self.allows_same_rev {
            check_same_rev(present, commit)?;
        }
        if commit.rev() < present.rev() && !self.allows_older {
            let (found, present) = (commit.cid(), present.rev());
            let (name, rev) = (parts.name.clone(), commit.rev());
            return Err(Error::Older { name, found, rev, present });
        }
        Ok(())
    }
}

/// Checks that two different commits do not have the same rev.
pub(crate) fn check_same_rev(present: &Commit, commit: &Commit) -> Result<()> {
    match (present.rev(), commit.rev()) {
        (Some(before), Some(rev)) if before == rev && present.cid() != commit.cid() => {
            Err(Error::SameRev { rev, present: present.cid(), found: commit.cid() })
        }
        _ => Ok(()),
    }
}

impl<'a> Fork<'a> {
    /// Returns the fork between the present commit and another one. Returns `None` if the present commit came from
    /// elsewhere, or if the other one descends from it.
    pub(crate) fn between(
        parts: &Parts,
        present: &'a Commit,
        commit: &Commit,
        blocks: &dyn Blocks,
    ) -> Result<Option<Self>> {
        let view = parts.store.view()?;
        let view = view.as_ref();
        if !is_local(parts, view, present.cid())? {
            return Ok(None);
        }
        let is_certain = match descent(view, blocks, commit, present)? {
            Descent::Known => return Ok(None),
            Descent::Excluded => true,
            Descent::Unknown => false,
        };
        let bases = foreign_bases(parts, view, view, present)?;
        Ok(Some(Self { present, is_certain, bases }))
    }

    /// Compares the local changes with the tree of another commit.
    ///
    /// A version of a record is local if no state from elsewhere that the present state is based on has it.
    pub(crate) fn local_changes(
        &self,
        stored: &Reading,
        blocks: &dyn Blocks,
        commit: &Commit,
    ) -> Result<LocalChanges> {
        let mut found = LocalChanges::default();
        let before = (stored as &dyn Blocks, Some(self.present.data()));
        for change in diff_across(before, (blocks, Some(commit.data()))) {
            let Change { key, before, after } = change?;
            match (before, after) {
                (Some(before), _)
                    if !self.came_from_elsewhere(stored, key.as_bytes(), before)? =>
                {
                    found.lost += 1;
                }
                (None, Some(after))
                    if self.came_from_elsewhere(stored, key.as_bytes(), after)? =>
                {
                    found.returned += 1;
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Returns whether a base has this version of a record.
    fn came_from_elsewhere(&self, stored: &Reading, key: &[u8], version: Cid) -> Result<bool> {
        for base in &self.bases {
            match get(stored, base.data(), key) {
                Ok(Some(found)) if found == version => return Ok(true),
                // The state may be purged or damaged; its records are then unknown.
                Ok(_) | Err(MstError::Missing { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }
}
