//! Revisions: the names of commits.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::model::prefix::{CidPrefix, MIN_LETTERS, RevPrefix, is_beginning};
use crate::model::revision_error::RevisionError;
use pds_core::data::cid::Cid;
use pds_store::ref_name::RefName;

/// The name of a commit: `HEAD`, a ref, a CID, a rev, or a step back from one of these.
///
/// | form | commit |
/// |---|---|
/// | `HEAD`, `@` | the present commit |
/// | `phone` | the commit that this ref points to |
/// | `3jzfcijpj2z2a`, `3jzfci` | the commit with this rev, or with the only rev that begins so |
/// | `bafyreigkbrcxa5…`, `gkbrcxa5` | the commit with this CID, or with the only CID that begins so |
/// | `HEAD~3`, `HEAD^` | the commit three steps back, or the parent |
/// | `@{2}`, `phone@{2}` | the commit that the ref pointed to two moves ago |
/// | `@{yesterday}`, `phone@{2026-11-27}` | the commit that the ref pointed to at that time |
/// | `2026-11-27` | the newest state of that time |
///
/// A prefix has six letters or more. All CIDs of commits begin with `bafyrei`; these letters may be left out and do not
/// count. A ref takes precedence over a rev of the same spelling, a rev over a CID, and a CID over a time.
///
/// ```
/// use pds::Revision;
///
/// for text in ["HEAD", "HEAD~3", "@{2}", "backup@{1}~2", "3jzfcijpj2z2a", "gkbrcxa5"] {
///     assert_eq!(text.parse::<Revision>()?.to_string(), text);
/// }
/// assert_eq!("@^^~2".parse::<Revision>()?.to_string(), "HEAD~4");
/// # Ok::<(), pds::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Revision {
    pub(crate) base: Anchor,
    /// The number of commits back from the base.
    pub(crate) back: u32,
    /// The text that was parsed, for messages.
    typed: Option<Box<str>>,
}

impl PartialEq for Revision {
    fn eq(&self, other: &Self) -> bool {
        (&self.base, self.back) == (&other.base, other.back)
    }
}

impl Eq for Revision {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// A ref, or the commit that it pointed to some moves ago.
    Ref {
        name: Option<RefName>,
        moves: u32,
    },
    /// The commit that a ref pointed to at a time.
    RefAt {
        name: Option<RefName>,
        time: Time,
    },
    /// A text with several readings.
    Word(Box<Word>),
    Commit(Cid),
}

/// A time, with the text that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) text: Box<str>,
    pub(crate) micros: u64,
}

/// A text that may be a ref, a rev, a CID or a time, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: Box<str>,
    pub(crate) name: Option<RefName>,
    pub(crate) rev: Option<RevPrefix>,
    pub(crate) cid: Option<CidPrefix>,
    pub(crate) micros: Option<u64>,
}

impl Revision {
    /// Returns the revision `HEAD`.
    #[must_use]
    pub fn head() -> Self {
        RefName::head().into()
    }

    /// Parses a revision that may name a time.
    ///
    /// `time` reads the text of a time: that between the braces of `@{yesterday}`, or a whole word such as
    /// `2026-11-27`. It returns the last moment that the text means, in microseconds since 1970. [`str::parse`] knows
    /// no times, because this crate has neither a clock nor a time zone.
    ///
    /// ```
    /// use pds::Revision;
    ///
    /// let time = |text: &str| (text == "2026-11-27").then_some(1_795_823_999_999_999);
    /// for text in ["2026-11-27", "@{2026-11-27}~1", "phone@{2026-11-27}"] {
    ///     assert_eq!(Revision::parse_with_times(text, &time)?.to_string(), text);
    /// }
    /// assert!(Revision::parse_with_times("@{soon}", &time).is_err());
    /// # Ok::<(), pds::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RevisionError`] if the text has none of the forms of a revision.
    pub fn parse_with_times(
        text: &str,
        time: &dyn Fn(&str) -> Option<u64>,
    ) -> Result<Self, RevisionError> {
        let (base, back) = split_steps(text).map_err(|reason| RevisionError::new(text, reason))?;
        let base = anchor(base, time).map_err(|reason| RevisionError::new(text, reason))?;
        Ok(Self { base, back, typed: Some(text.into()) })
    }

    /// Returns the text that was parsed, or the usual form of a revision that was not parsed.
    ///
    /// ```
    /// let revision: pds::Revision = "@^^".parse()?;
    /// assert_eq!((revision.to_string().as_str(), &*revision.as_typed()), ("HEAD~2", "@^^"));
    /// # Ok::<(), pds::Error>(())
    /// ```
    #[must_use]
    pub fn as_typed(&self) -> Cow<'_, str> {
        match &self.typed {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.to_string()),
        }
    }

    /// Returns the revision with another number of steps back.
    pub(crate) fn with_back(&self, back: u32) -> Self {
        Self { base: self.base.clone(), back, typed: None }
    }
}

/// Splits the steps back from the name before them, and adds them up.
fn split_steps(text: &str) -> Result<(&str, u32), String> {
    let at = text.find(['~', '^']).unwrap_or(text.len());
    let (base, mut steps) = text.split_at(at);
    if base.is_empty() {
        return Err(match steps {
            "" => "the text is empty; write HEAD for the present state".to_owned(),
            steps => format!("no name before {steps}; write HEAD{steps}"),
        });
    }
    let mut back = 0_u32;
    while let Some(mark) = steps.chars().next() {
        let rest = steps.get(mark.len_utf8()..).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at(end);
        let count = match (mark, digits) {
            ('~' | '^', "") | ('^', "1") => Some(1),
            ('^', _) => return Err("a commit has one parent; write ^ or ~N".to_owned()),
            ('~', digits) => digits.parse().ok(),
            _ => return Err(format!("{mark} in the steps back; write ^ or ~N")),
        };
        let sum = count.and_then(|count: u32| back.checked_add(count));
        back = sum.ok_or("the number of steps back is too large")?;
        steps = rest;
    }
    Ok((base, back))
}

/// Parses a revision without steps back.
fn anchor(text: &str, time: &dyn Fn(&str) -> Option<u64>) -> Result<Anchor, String> {
    if text == "@" {
        return Ok(Anchor::Ref { name: Some(RefName::head()), moves: 0 });
    }
    let Some((name, inner)) = text.split_once("@{") else { return word(text, time) };
    let inner = inner.strip_suffix('}').ok_or("a } is missing at the end")?;
    let name = match name {
        "" => None,
        name => {
            Some(name.parse().map_err(|_| format!("{name} before @ is not the name of a ref"))?)
        }
    };
    if inner.is_empty() {
        return Err(
            "nothing between the braces; write @{1} for the state before the last move".into()
        );
    }
    if inner.bytes().all(|byte| byte.is_ascii_digit()) {
        let moves = inner.parse().map_err(|_| "the number of moves is too large")?;
        return Ok(Anchor::Ref { name, moves });
    }
    let micros = time(inner).ok_or_else(|| {
        format!("{inner} is neither a number of moves nor a time; write @{{2}} or @{{2026-11-27}}")
    })?;
    Ok(Anchor::RefAt { name, time: Time { text: inner.into(), micros } })
}

/// Parses a word with all of its readings.
fn word(text: &str, time: &dyn Fn(&str) -> Option<u64>) -> Result<Anchor, String> {
    let name = text.parse::<RefName>().ok();
    let (rev, cid, micros) = (RevPrefix::parse(text), CidPrefix::parse(text), time(text));
    match (name, rev, cid, micros) {
        (None, None, None, None) if text.starts_with('@') => {
            Err("@ is followed by {N} or {TIME}; write @{1} for the state before the last move"
                .into())
        }
        (None, None, None, None) => Err("neither a ref, a commit CID, a rev nor a time".to_owned()),
        (Some(name), None, None, None) if !is_beginning(text) => {
            Ok(Anchor::Ref { name: Some(name), moves: 0 })
        }
        (name, rev, cid, micros) => {
            Ok(Anchor::Word(Box::new(Word { text: text.into(), name, rev, cid, micros })))
        }
    }
}

impl Word {
    /// Returns the reason why a short text is neither a rev nor a CID.
    pub(crate) fn too_short() -> String {
        format!("a prefix of a rev or a CID has {MIN_LETTERS} letters or more")
    }

    /// Returns the reason why a repository has no commit under this text.
    pub(crate) fn no_match(&self) -> String {
        match (&self.rev, &self.cid, &self.micros) {
            (None, None, None) => format!("no ref named {}; {}", self.text, Self::too_short()),
            _ => "no ref has this name, and no rev or CID of a commit begins with it".to_owned(),
        }
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self::head()
    }
}

impl From<RefName> for Revision {
    fn from(name: RefName) -> Self {
        Self { base: Anchor::Ref { name: Some(name), moves: 0 }, back: 0, typed: None }
    }
}

impl From<Cid> for Revision {
    fn from(commit: Cid) -> Self {
        Self { base: Anchor::Commit(commit), back: 0, typed: None }
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        Self::parse_with_times(text, &|_| None)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name_of = |name: &Option<RefName>| name.as_ref().map_or("", RefName::as_str).to_owned();
        match &self.base {
            Anchor::Ref { name: Some(name), moves: 0 } => write!(f, "{name}")?,
            Anchor::Ref { name, moves } => write!(f, "{}@{{{moves}}}", name_of(name))?,
            Anchor::RefAt { name, time } => write!(f, "{}@{{{}}}", name_of(name), time.text)?,
            Anchor::Word(word) => f.write_str(&word.text)?,
            Anchor::Commit(cid) => write!(f, "{cid}")?,
        }
        match self.back {
            0 => Ok(()),
            back => write!(f, "~{back}"),
        }
    }
}
