//! The error for texts that name no commit, or several.

use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;

use crate::model::prefix::COMMIT_HEAD;

/// The error for a text that names no commit, or that fits several.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown revision \"{text}\": {reason}")]
#[non_exhaustive]
pub struct RevisionError {
    /// The text.
    pub text: String,
    /// The reason why it names no commit.
    pub reason: String,
    /// The commits that fit the text, if these are several. If there are very many, the list has only some of them.
    pub candidates: Vec<Candidate>,
}

/// A commit that fits a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The CID of the commit.
    pub commit: Cid,
    /// The rev of the commit, if it has one.
    pub rev: Option<Tid>,
}

impl RevisionError {
    pub(crate) fn new(text: impl AsRef<str>, reason: impl Into<String>) -> Self {
        let text = text.as_ref().chars().take(MAX_SHOWN).collect();
        Self { text, reason: reason.into(), candidates: Vec::new() }
    }

    /// Returns the error for a prefix that fits several commits.
    pub(crate) fn ambiguous(text: impl AsRef<str>, candidates: Vec<Candidate>) -> Self {
        let shown: Vec<String> = candidates.iter().map(|one| one.shown(&candidates)).collect();
        let count = match candidates.len() {
            MAX_CANDIDATES.. => format!("{MAX_CANDIDATES} commits or more"),
            count => format!("{count} commits"),
        };
        let reason = format!("{count} begin with it: {}", shown.join(", "));
        Self { candidates, ..Self::new(text, reason) }
    }
}

impl Candidate {
    /// Returns a short form of the CID that differs from those of the others, with the rev.
    fn shown(&self, all: &[Self]) -> String {
        let letters = |one: &Self| one.commit.to_string().split_off(COMMIT_HEAD.len());
        let own = letters(self);
        let others = || all.iter().filter(|other| other.commit != self.commit).map(letters);
        let is_own = |count: &usize| {
            let part = own.get(..*count);
            others().all(|other| other.get(..*count) != part)
        };
        let count = (SHORT_LETTERS..own.len()).step_by(2).find(is_own).unwrap_or(own.len());
        let short = own.get(..count).unwrap_or(&own);
        self.rev.map_or_else(|| short.to_owned(), |rev| format!("{short} (rev {rev})"))
    }
}

/// The number of characters of a text that a message repeats.
const MAX_SHOWN: usize = 80;

/// The number of commits at which the search for those that fit a prefix ends.
pub(crate) const MAX_CANDIDATES: usize = 8;

/// The number of letters of a short CID, without the head.
const SHORT_LETTERS: usize = 8;
