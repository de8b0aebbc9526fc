//! The argument that names a block or a blob: a CID, or letters that only one CID begins with.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use anyhow::Result;
use pds::data::Cid;

use crate::failures::exit::Stated;
use crate::terminal::short_cids::ShortCids;

/// A CID, or its letters after the head that all CIDs have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CidArg {
    Whole(Cid),
    Part(String),
}

impl CidArg {
    /// Looks for the CID among those that `each` passes on. Returns `None` if none of them fits.
    ///
    /// A whole CID is not looked for. Several CIDs that fit are an error.
    pub(crate) fn find(
        &self,
        each: impl FnOnce(&mut Fitting<'_>) -> Result<()>,
    ) -> Result<Option<Cid>> {
        let letters = match self {
            Self::Whole(cid) => return Ok(Some(*cid)),
            Self::Part(letters) => letters,
        };
        let mut fitting = Fitting { letters, found: Vec::new() };
        each(&mut fitting)?;
        if let [] | [_] = fitting.found.as_slice() {
            return Ok(fitting.found.pop());
        }
        let mut short = ShortCids::default();
        fitting.found.iter().for_each(|cid| short.note(cid));
        let shown: Vec<String> = fitting.found.iter().map(|cid| short.short(cid)).collect();
        let message = format!("several CIDs begin with {letters}: {}", shown.join(", "));
        Stated::no("not-found", message).hint("use more letters").fail()
    }
}

/// The CIDs that fit so far.
pub(crate) struct Fitting<'a> {
    letters: &'a str,
    found: Vec<Cid>,
}

impl Fitting<'_> {
    /// Tests a CID. The search may end after some that fit.
    pub(crate) fn test(&mut self, cid: &Cid) -> ControlFlow<()> {
        let text = cid.to_string();
        let tail = HEADS.iter().find_map(|head| text.strip_prefix(head));
        if tail.is_some_and(|tail| tail.starts_with(self.letters)) && !self.found.contains(cid) {
            self.found.push(*cid);
        }
        match self.found.len() < MAX_LISTED {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

impl FromStr for CidArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reason = match text.parse() {
            Ok(cid) => return Ok(Self::Whole(cid)),
            Err(reason) => reason,
        };
        let letters = HEADS.iter().find_map(|head| text.strip_prefix(head)).unwrap_or(text);
        let may_begin = |first: char| matches!(first, 'a'..='h');
        let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
        let may_be_one = letters.starts_with(may_begin) && letters.bytes().all(is_letter);
        if !may_be_one && !letters.is_empty() {
            return Err(reason.to_string());
        }
        match letters.len() {
            MIN_LETTERS..MAX_LETTERS => Ok(Self::Part(letters.to_owned())),
            ..MIN_LETTERS => Err("a short CID has six letters or more after its head".to_owned()),
            _ => Err(reason.to_string()),
        }
    }
}

impl fmt::Display for CidArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(cid) => cid.fmt(f),
            Self::Part(letters) => letters.fmt(f),
        }
    }
}

/// The texts that all CIDs of blocks and all CIDs of blobs begin with.
const HEADS: [&str; 2] = ["bafyrei", "bafkrei"];

const MIN_LETTERS: usize = 6;

/// The number of letters of a whole CID after its head.
const MAX_LETTERS: usize = 52;

/// The number of CIDs that an error lists.
const MAX_LISTED: usize = 8;
