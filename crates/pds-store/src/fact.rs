//! Facts: typed rows about a repository, in addition to its blocks, refs and log.

use pds_core::crypto::did_key::DidKey;
use pds_core::data::cid::Cid;
use pds_core::syntax::did::Did;
use pds_core::syntax::tid::Tid;

/// The kind of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FactKind {
    /// The account.
    Account,
    /// The current signing key.
    Key,
    /// Former signing keys.
    EndedKey,
    /// Keys that a user named for single commits.
    NamedKey,
    /// The start of the time with known keys.
    UnknownBefore,
    /// Blocks that a repair has listed as lost.
    Loss,
    /// Blobs that are still to be deleted.
    Erasure,
    /// An incomplete erasure.
    Erasing,
    /// The newest deleted state.
    Forgotten,
    /// The newest state that must not return.
    Purged,
}

/// A typed statement about a repository, stored as one row.
///
/// Facts are written in the same change as the commit that they belong to.
///
/// ```
/// use pds::store::{Fact, FactKind, MemoryStore, Store, Change, Event, FactEdit};
///
/// let did: pds::syntax::Did = "did:web:example.com".parse()?;
/// let store = MemoryStore::default();
/// store.apply(Change::new(Event::Set).fact(FactEdit::Set(Fact::Account(did.clone()))))?;
/// let mut found = Vec::new();
/// store.view()?.facts(FactKind::Account, &mut |fact| {
///     found.push(fact);
///     std::ops::ControlFlow::Continue(())
/// })?;
/// assert_eq!(found, [Fact::Account(did)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// The account of this repository.
    Account(Did),
    /// The current signing key.
    Key(DidKey),
    /// A former signing key.
    EndedKey {
        /// The rev from which on the key is not valid.
        until: Tid,
        /// The key.
        key: DidKey,
    },
    /// The key of a single commit, named by a user.
    NamedKey {
        /// The commit.
        commit: Cid,
        /// The key.
        key: DidKey,
    },
    /// The keys of commits before this rev are unknown.
    UnknownBefore(Tid),
    /// A block of a past state that a repair has listed as lost: a commit, a tree node or a record.
    Loss(Cid),
    /// A blob that is still to be deleted.
    Erasure(Cid),
    /// Remains of deleted data may still be in the files.
    Erasing,
    /// The rev of the newest state that was deleted on purpose.
    Forgotten(Tid),
    /// The rev of the newest state that was deleted because of its content. Imports leave out states up to it.
    Purged(Tid),
}

/// An edit of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactEdit {
    /// Writes a fact. It replaces the fact of the same kind with the same subject.
    Set(Fact),
    /// Removes the fact of the same kind with the same subject, if it exists.
    Remove(Fact),
    /// Removes all facts of a kind.
    Clear(FactKind),
}

impl FactKind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Account,
        Self::Key,
        Self::EndedKey,
        Self::NamedKey,
        Self::UnknownBefore,
        Self::Loss,
        Self::Erasure,
        Self::Erasing,
        Self::Forgotten,
        Self::Purged,
    ];

    /// Returns the stored name of the kind.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Key => "key",
            Self::EndedKey => "ended-key",
            Self::NamedKey => "named-key",
            Self::UnknownBefore => "unknown-before",
            Self::Loss => "loss",
            Self::Erasure => "erasure",
            Self::Erasing => "erasing",
            Self::Forgotten => "forgotten",
            Self::Purged => "purged",
        }
    }

    /// Returns the kind with a stored name.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl Fact {
    /// Returns the kind of the fact.
    #[must_use]
    pub fn kind(&self) -> FactKind {
        match self {
            Self::Account(_) => FactKind::Account,
            Self::Key(_) => FactKind::Key,
            Self::EndedKey { .. } => FactKind::EndedKey,
            Self::NamedKey { .. } => FactKind::NamedKey,
            Self::UnknownBefore(_) => FactKind::UnknownBefore,
            Self::Loss(_) => FactKind::Loss,
            Self::Erasure(_) => FactKind::Erasure,
            Self::Erasing => FactKind::Erasing,
            Self::Forgotten(_) => FactKind::Forgotten,
            Self::Purged(_) => FactKind::Purged,
        }
    }

    /// Returns the subject of the fact as text. It is empty for kinds that have at most one fact.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::EndedKey { until, .. } => until.to_string(),
            Self::NamedKey { commit, .. } => commit.to_string(),
            Self::Loss(cid) | Self::Erasure(cid) => cid.to_string(),
            Self::Account(_)
            | Self::Key(_)
            | Self::UnknownBefore(_)
            | Self::Erasing
            | Self::Forgotten(_)
            | Self::Purged(_) => String::new(),
        }
    }

    /// Returns the value of the fact as text.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Account(did) => did.to_string(),
            Self::Key(key) | Self::EndedKey { key, .. } | Self::NamedKey { key, .. } => {
                key.to_string()
            }
            Self::Forgotten(rev) | Self::Purged(rev) | Self::UnknownBefore(rev) => rev.to_string(),
            Self::Loss(_) | Self::Erasure(_) | Self::Erasing => String::new(),
        }
    }

    /// Returns the fact of a stored row, or `None` if the texts are not valid for the kind.
    #[must_use]
    pub fn of(kind: FactKind, subject: &str, value: &str) -> Option<Self> {
        let fact = match kind {
            FactKind::Account => Self::Account(value.parse().ok()?),
            FactKind::Key => Self::Key(value.parse().ok()?),
            FactKind::EndedKey => {
                Self::EndedKey { until: subject.parse().ok()?, key: value.parse().ok()? }
            }
            FactKind::NamedKey => {
                Self::NamedKey { commit: subject.parse().ok()?, key: value.parse().ok()? }
            }
            FactKind::UnknownBefore => Self::UnknownBefore(value.parse().ok()?),
            FactKind::Loss => Self::Loss(subject.parse().ok()?),
            FactKind::Erasure => Self::Erasure(subject.parse().ok()?),
            FactKind::Erasing => Self::Erasing,
            FactKind::Forgotten => Self::Forgotten(value.parse().ok()?),
            FactKind::Purged => Self::Purged(value.parse().ok()?),
        };
        (fact.subject() == subject && fact.value() == value).then_some(fact)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pds_core::crypto::curve::Curve;
    use pds_core::crypto::signing_key::SigningKey;
    use pds_core::data::cid::Codec;

    #[test]
    fn every_fact_is_its_kind_and_its_texts() {
        let cid = Cid::of(Codec::Cbor, b"\xa0");
        let key = DidKey::from(&SigningKey::generate(Curve::K256).unwrap().public_key());
        let rev: Tid = "3jzfcijpj2z2a".parse().unwrap();
        let facts = [
            Fact::Account("did:web:example.com".parse().unwrap()),
            Fact::Key(key.clone()),
            Fact::EndedKey { until: rev, key: key.clone() },
            Fact::NamedKey { commit: cid, key },
            Fact::UnknownBefore(rev),
            Fact::Loss(cid),
            Fact::Erasure(cid),
            Fact::Erasing,
            Fact::Forgotten(rev),
            Fact::Purged(rev),
        ];
        for fact in facts {
            let kind = fact.kind();
            assert_eq!(Fact::of(kind, &fact.subject(), &fact.value()), Some(fact.clone()));
            assert_eq!(Fact::of(kind, "more", &fact.value()), None, "{fact:?}");
            assert_eq!(FactKind::of(kind.word()), Some(kind));
        }
    }
}
