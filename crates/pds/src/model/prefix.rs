//! Prefixes of revs and of the CIDs of commits.

use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;

/// The revs that begin with some letters: all from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RevPrefix {
    pub(crate) first: Tid,
    pub(crate) last: Tid,
}

impl RevPrefix {
    /// Parses six letters of a rev or more. The head of a CID is no part of a rev of our time.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_whole = text.len() == REV_LETTERS;
        if text.len() < MIN_LETTERS || (text.starts_with(COMMIT_HEAD) && !is_whole) {
            return None;
        }
        let filled = |with: char| {
            let rest = REV_LETTERS.checked_sub(text.len())?;
            let rest: String = std::iter::repeat_n(with, rest).collect();
            format!("{text}{rest}").parse().ok()
        };
        Some(Self { first: filled('2')?, last: filled('z')? })
    }

    /// Returns the rev, if this is a whole one.
    pub(crate) fn whole(&self) -> Option<Tid> {
        (self.first == self.last).then_some(self.first)
    }

    pub(crate) fn fits(&self, rev: Option<Tid>) -> bool {
        rev.is_some_and(|rev| (self.first..=self.last).contains(&rev))
    }
}

/// The CIDs of commits that begin with some letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CidPrefix {
    Whole(Cid),
    /// The letters after the head that all of these CIDs have.
    Part(Box<str>),
}

impl CidPrefix {
    /// Parses a whole CID, or six of its letters or more, with or without the head.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        let letters = text.strip_prefix(COMMIT_HEAD).unwrap_or(text);
        let has_length = (MIN_LETTERS..CID_LETTERS).contains(&letters.len());
        (has_length && is_of_cid(letters)).then(|| Self::Part(letters.into()))
    }

    pub(crate) fn fits(&self, cid: &Cid) -> bool {
        match self {
            Self::Whole(whole) => whole == cid,
            Self::Part(letters) => {
                let text = cid.to_string();
                text.strip_prefix(COMMIT_HEAD).is_some_and(|rest| rest.starts_with(&**letters))
            }
        }
    }
}

/// Returns whether a text may be the beginning of a rev or a CID, but is too short to be used.
pub(crate) fn is_beginning(text: &str) -> bool {
    let after_head = text.strip_prefix(COMMIT_HEAD);
    let is_of_rev = |text: &str| RevPrefix::parse(&format!("{text:2<MIN_LETTERS$}")).is_some();
    match after_head {
        Some(letters) => letters.len() < MIN_LETTERS && (letters.is_empty() || is_of_cid(letters)),
        None => text.len() < MIN_LETTERS && (is_of_cid(text) || is_of_rev(text)),
    }
}

/// Returns whether these may be letters of a CID, from the first one after the head. Two bits of that letter belong to
/// the head.
fn is_of_cid(letters: &str) -> bool {
    letters.starts_with(|first: char| matches!(first, 'a'..='h'))
        && letters.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

/// The text that all CIDs of commits begin with.
pub(crate) const COMMIT_HEAD: &str = "bafyrei";

/// The number of letters of the shortest prefix.
pub(crate) const MIN_LETTERS: usize = 6;

const REV_LETTERS: usize = 13;

/// The number of letters of a CID after its head.
const CID_LETTERS: usize = Cid::TEXT_LEN - COMMIT_HEAD.len();
