//! How a state of a repository is named.

use std::fmt;
use std::str::FromStr;

use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::ref_name::RefName;

/// The name of a state: `HEAD`, a ref, a commit CID, a rev, or a step back from one of these.
///
/// `~N` goes N commits back, `@{N}` names where a ref stood N moves ago. A ref hides a rev of the
/// same spelling.
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
    /// How many commits back from there.
    pub(crate) back: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// A ref, or where it stood some moves ago.
    Ref {
        name: Option<RefName>,
        moves: u32,
    },
    /// A name that is a ref if there is one, and a rev otherwise.
    RefOrRev(RefName, Tid),
    Commit(Cid),
}

/// A text that names no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no revision {text}: {reason}")]
pub struct RevisionError {
    /// The text.
    pub text: String,
    /// Why it names no state.
    pub reason: String,
}

impl Revision {
    /// The state that the current ref names.
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
            digits => digits.parse::<u32>().map_err(|_| wrong("not a number of steps")),
        };
        if text.is_empty() {
            return Err(wrong("a revision is not empty"));
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
                    name => Some(name.parse().map_err(|_| wrong("not the name of a ref"))?),
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
