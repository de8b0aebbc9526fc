//! Records that an argument names: one, or all with the same beginning.

use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use anyhow::Result;
use pds::Snapshot;
use pds::mst::{Key, range};
use pds::syntax::{AtIdentifier, Nsid, RecordPath};

use crate::arguments::record::{Account, RecordArg, TargetArg};

/// A record, or a pattern: `collection`, `collection/*`, `collection/abc*` or `app.bsky.feed.*`.
#[derive(Clone, Debug)]
pub(crate) enum RecordsArg {
    One(RecordArg),
    Beginning(Beginning),
}

/// The beginning of the paths of records.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    authority: Option<AtIdentifier>,
    /// The pattern as text.
    text: String,
    /// The bytes that the paths begin with.
    bytes: String,
}

impl RecordsArg {
    /// Tells whether the argument names a record.
    pub(crate) fn fits(&self, path: &RecordPath) -> bool {
        match self {
            Self::One(record) => record.path() == path,
            Self::Beginning(beginning) => path.to_string().starts_with(&beginning.bytes),
        }
    }
}

impl Beginning {
    /// Finds the records of a state, in key order.
    pub(crate) fn records<'s>(
        &self,
        snapshot: &'s Snapshot,
        account: &Account<'_>,
    ) -> Result<impl Iterator<Item = Result<RecordPath>> + use<'s>> {
        account.check_named(self.authority.as_ref())?;
        let begin = self.bytes.clone().into_bytes();
        let from = Key::new(begin.clone())?;
        let keys = (Bound::Included(from), Bound::Unbounded);
        let entries = range(snapshot.blocks(), snapshot.commit().data(), keys);
        let has_begin = move |key: &Key| key.as_bytes().starts_with(&begin);
        Ok(entries
            .take_while(move |entry| entry.as_ref().map_or(true, |entry| has_begin(&entry.key)))
            .map(|entry| Ok(RecordPath::from_bytes(entry?.key.as_bytes())?)))
    }
}

impl fmt::Display for RecordsArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(record) => record.fmt(f),
            Self::Beginning(beginning) => beginning.fmt(f),
        }
    }
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl FromStr for RecordsArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = match text.strip_suffix('*') {
            Some(beginning) => return beginning_of(text, beginning).map(Self::Beginning),
            None if text.contains('*') => return Err(FORMS.to_owned()),
            None => text,
        };
        // Shells and file managers put a slash at the end of a directory.
        match plain.strip_suffix('/').unwrap_or(plain).parse::<TargetArg>() {
            Ok(TargetArg { authority, collection, rkey: None }) => Ok(Self::Beginning(Beginning {
                authority,
                text: text.to_owned(),
                bytes: format!("{collection}/"),
            })),
            _ => plain.parse().map(Self::One),
        }
    }
}

fn beginning_of(text: &str, beginning: &str) -> Result<Beginning, String> {
    let (authority, path) = match beginning.strip_prefix("at://") {
        None => (None, beginning),
        Some(rest) => {
            let (authority, path) = rest.split_once('/').ok_or(FORMS)?;
            let authority = authority.parse::<AtIdentifier>();
            (Some(authority.map_err(|error| error.to_string())?), path)
        }
    };
    let is_right = match path.split_once('/') {
        // The part of a key before the star may be no valid key, such as a single dot.
        Some((collection, rkey)) => {
            collection.parse::<Nsid>().map_err(|error| error.to_string())?;
            rkey.is_empty() || format!("{collection}/{rkey}a").parse::<RecordPath>().is_ok()
        }
        None => path.ends_with('.') && format!("{path}a.a").parse::<Nsid>().is_ok(),
    };
    match is_right {
        true => Ok(Beginning { authority, text: text.to_owned(), bytes: path.to_owned() }),
        false => Err(FORMS.to_owned()),
    }
}

const FORMS: &str =
    "a star may end a pattern such as collection/*, collection/abc* or app.bsky.feed.*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_end_with_a_star_or_name_a_collection() {
        for (text, bytes) in [
            ("com.example.note", "com.example.note/"),
            ("com.example.note/", "com.example.note/"),
            ("com.example.note/*", "com.example.note/"),
            ("com.example.note/3k*", "com.example.note/3k"),
            ("com.example.*", "com.example."),
            ("at://did:web:example.com/com.example.note/*", "com.example.note/"),
            ("at://did:web:example.com/com.example.note", "com.example.note/"),
        ] {
            match text.parse() {
                Ok(RecordsArg::Beginning(beginning)) => assert_eq!(beginning.bytes, bytes),
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in
            ["*", "com*", "com.exam*", "com.example.note/a*b", "*/a", "com.example.note/a b*"]
        {
            assert!(text.parse::<RecordsArg>().is_err(), "{text}");
        }
        assert!(matches!("com.example.note/a".parse(), Ok(RecordsArg::One(_))));
    }
}
