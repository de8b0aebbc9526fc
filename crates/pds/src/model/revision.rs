//! Revisions: the names of commits.

use std::fmt;
use std::str::FromStr;

use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::ref_name::RefName;

/// The name of a commit: `HEAD`, a ref, a CID, a rev, or a step back from one of these.
///
/// `~N` names the commit N commits back. `@{N}` names the commit that a ref pointed to N moves ago. A ref takes
/// precedence over a rev of the same spelling.
///
/// ```
/// use pds::Revision;
///
/// for text in ["HEAD", "HEAD~3", "@{2}", "backup@{1}~2", "3jzfcijpj2z2a"] {
///     assert_eq!(text.parse::<Revision>()?.to_string(), text);
/// }
/// # Ok::<(), pds::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    pub(crate) base: Anchor,
    /// The number of commits back from the base.
    pub(crate) back: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// A ref, or the commit that it pointed to some moves ago.
    Ref {
        name: Option<RefName>,
        moves: u32,
    },
    /// The name of a ref if it exists, and a rev otherwise.
    RefOrRev(RefName, Tid),
    Commit(Cid),
}

/// The error for a text that names no commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown revision \"{text}\": {reason}")]
pub struct RevisionError {
    /// The text.
    pub text: String,
    /// The reason why it names no commit.
    pub reason: String,
}

impl Revision {
    /// Returns the revision `HEAD`.
    #[must_use]
    pub fn head() -> Self {
        Self { base: Anchor::Ref { name: Some(RefName::head()), moves: 0 }, back: 0 }
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self::head()
    }
}

impl From<RefName> for Revision {
    fn from(name: RefName) -> Self {
        Self { base: Anchor::Ref { name: Some(name), moves: 0 }, back: 0 }
    }
}

impl From<Cid> for Revision {
    fn from(commit: Cid) -> Self {
        Self { base: Anchor::Commit(commit), back: 0 }
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let wrong = |reason: &str| RevisionError {
            text: text.chars().take(MAX_SHOWN).collect(),
            reason: reason.to_owned(),
        };
        let number = |digits: &str| match digits {
            "" => Ok(1),
            digits => digits.parse::<u32>().map_err(|_| wrong("the number of steps is invalid")),
        };
        if text.is_empty() {
            return Err(wrong("the text is empty"));
        }
        let (base, back) = match text.split_once('~') {
            Some((base, steps)) => (base, number(steps)?),
            None => (text, 0),
        };
        let base = match base.split_once("@{") {
            Some((name, moves)) => {
                let moves = moves.strip_suffix('}').ok_or_else(|| wrong("a } is missing"))?;
                let name = match name {
                    "" => None,
                    name => Some(name.parse().map_err(|_| wrong("the ref name is invalid"))?),
                };
                Anchor::Ref { name, moves: number(moves)? }
            }
            None => match (base.parse::<Cid>(), base.parse::<RefName>(), base.parse::<Tid>()) {
                (Ok(commit), ..) => Anchor::Commit(commit),
                (_, Ok(name), Ok(rev)) => Anchor::RefOrRev(name, rev),
                (_, Ok(name), Err(_)) => Anchor::Ref { name: Some(name), moves: 0 },
                _ => return Err(wrong("neither a ref, a commit CID nor a rev")),
            },
        };
        Ok(Self { base, back })
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.base {
            Anchor::Ref { name, moves } => {
                if let Some(name) = name {
                    write!(f, "{name}")?;
                }
                if *moves > 0 || name.is_none() {
                    write!(f, "@{{{moves}}}")?;
                }
            }
            Anchor::RefOrRev(name, _) => write!(f, "{name}")?,
            Anchor::Commit(cid) => write!(f, "{cid}")?,
        }
        match self.back {
            0 => Ok(()),
            back => write!(f, "~{back}"),
        }
    }
}

const MAX_SHOWN: usize = 80;
