//! Refs and their edits.

use std::sync::Arc;

use crate::ref_name::RefName;
use pds_core::data::cid::Cid;

/// The value that a writer expects of a ref or a record before its edit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Any value, or no value.
    #[default]
    Any,
    /// The ref or record does not exist.
    Absent,
    /// The ref or record exists.
    Present,
    /// The ref or record exists with this value.
    Exactly(Cid),
}

impl Expect {
    /// Returns whether the expectation holds.
    #[must_use]
    pub fn holds(&self, found: Option<Cid>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::Exactly(cid) => found == Some(*cid),
        }
    }
}

/// An edit that moves, creates or removes a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefEdit {
    /// The ref.
    pub name: RefName,
    /// The new commit, or `None` to remove the ref. The block must be in the store after the
    /// change.
    pub target: Option<Cid>,
    /// The expected value before the edit.
    pub expect: Expect,
}

/// All refs at one moment, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refs {
    /// In the order of the names.
    entries: Arc<[(RefName, Cid)]>,
}

impl Refs {
    /// Returns the commit that a ref points to.
    #[must_use]
    pub fn get(&self, name: &RefName) -> Option<Cid> {
        let place = self.entries.binary_search_by(|(known, _)| known.cmp(name)).ok()?;
        self.entries.get(place).map(|(_, cid)| *cid)
    }

    /// Returns the refs and the commits that they point to, in the order of the names.
    #[must_use]
    pub fn as_slice(&self) -> &[(RefName, Cid)] {
        &self.entries
    }

    /// Iterates over the refs in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, (RefName, Cid)> {
        self.entries.iter()
    }

    /// Returns whether there is no ref.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Default for Refs {
    fn default() -> Self {
        Self { entries: Arc::from([]) }
    }
}

impl FromIterator<(RefName, Cid)> for Refs {
    fn from_iter<I: IntoIterator<Item = (RefName, Cid)>>(refs: I) -> Self {
        let mut entries: Vec<_> = refs.into_iter().collect();
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Self { entries: entries.into() }
    }
}

impl<'a> IntoIterator for &'a Refs {
    type Item = &'a (RefName, Cid);
    type IntoIter = std::slice::Iter<'a, (RefName, Cid)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
