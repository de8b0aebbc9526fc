//! Refs, and how they are edited.

use std::sync::Arc;

use super::RefName;
use pds_core::data::Cid;

/// What a writer expects of the present value of a ref or of a record.
///
/// ```
/// use pds::data::{Cid, Codec};
/// use pds::store::Expect;
///
/// let cid = Cid::of(Codec::Cbor, b"\xa0");
/// assert!(Expect::Exactly(cid).holds(Some(cid)) && !Expect::Absent.holds(Some(cid)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Any value, or no value.
    #[default]
    Any,
    /// It does not exist.
    Absent,
    /// It exists.
    Present,
    /// It exists and has this value.
    Exactly(Cid),
}

impl Expect {
    /// Tells whether the expectation holds.
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
///
/// ```
/// use pds::store::{Change, Event, Expect, MemoryStore, RefEdit, RefName, Store};
///
/// let removal = RefEdit { name: RefName::head(), target: None, expect: Expect::Present };
/// let change = Change::new(Event::Remove).edit(removal);
/// assert!(MemoryStore::default().apply(change).is_err(), "there is no HEAD");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefEdit {
    /// The ref.
    pub name: RefName,
    /// The commit that it points to afterwards; `None` removes it. The block must be in the store by then.
    pub target: Option<Cid>,
    /// What the ref must be before the edit.
    pub expect: Expect,
}

/// All refs at one moment, by name.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::store::Store;
///
/// let refs = repo.store().view()?.refs()?;
/// assert_eq!(refs.get(repo.history().ref_name()), repo.head()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refs {
    /// The refs and the commits that they point to, in the order of the names.
    pub entries: Arc<[(RefName, Cid)]>,
}

impl Refs {
    /// Returns the commit that a ref points to.
    #[must_use]
    pub fn get(&self, name: &RefName) -> Option<Cid> {
        let place = self.entries.binary_search_by(|(known, _)| known.cmp(name)).ok()?;
        self.entries.get(place).map(|(_, cid)| *cid)
    }

    /// Iterates over the refs in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, (RefName, Cid)> {
        self.entries.iter()
    }

    /// Tells whether there is no ref.
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
