//! The change of a record.

use std::fmt;

use pds::RecordChange;
use pds::data::Cid;
use serde::Serialize;

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
    /// A write of the same content.
    Unchanged,
    /// The commit cannot be read, or the states before it were purged.
    Unknown,
}

impl Action {
    pub(crate) fn of(before: Option<Cid>, after: Option<Cid>) -> Self {
        match (before, after) {
            (None, _) => Self::Create,
            (Some(before), Some(after)) if before == after => Self::Unchanged,
            (Some(_), Some(_)) => Self::Update,
            (Some(_), None) => Self::Delete,
        }
    }

    pub(crate) fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Delete => '-',
            Self::Unchanged => '=',
            Self::Unknown => '?',
        }
    }
}

/// A change as a line: a sign, the path, the old CID and the new one.
pub(crate) struct ChangeText<'a>(pub(crate) &'a RecordChange);

impl fmt::Display for ChangeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordChange { path, before, after } = self.0;
        write!(f, "{} {path}", Action::of(*before, *after).sign())?;
        [before, after].into_iter().flatten().try_for_each(|cid| write!(f, " {cid}"))
    }
}
