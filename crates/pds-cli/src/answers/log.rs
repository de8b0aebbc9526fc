//! The answers of `pds log`.

use std::fmt;

use pds::crypto::PublicKey;
use pds::data::Cid;
use pds::store::Event;
use pds::syntax::Tid;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::change::Action;
use super::commit::CommitId;
use crate::text::{rev_text, time_text};

/// One move of a ref.
pub(crate) struct LogRow<'a> {
    pub(crate) cid: Option<Cid>,
    pub(crate) rev: Option<Tid>,
    /// The time, or `None` if the state has no log and its rev is no time.
    pub(crate) micros: Option<u64>,
    /// Records created, updated and deleted. `None` if the commit or its tree cannot be read, or if the states before
    /// the commit were purged.
    pub(crate) counts: Option<[usize; 3]>,
    /// Earlier states were purged, and no state before this one is known.
    pub(crate) begins_here: bool,
    pub(crate) event: Option<&'a Event>,
    pub(crate) before: Option<Cid>,
    pub(crate) message: &'a str,
    /// The key that signed; the outer `None` means that no key history was given.
    pub(crate) key: Option<Option<&'a PublicKey>>,
}

impl Serialize for LogRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = |number: usize| self.counts.map(|counts| counts[number]);
        let mut row = json!({
            "cid": self.cid,
            "rev": self.rev.map(|rev| rev.to_string()),
            "time": self.micros.map(time_text),
            "created": count(0),
            "updated": count(1),
            "deleted": count(2),
            "before": self.before,
            "event": self.event.map(Event::word),
            "message": self.message,
        });
        for (field, value) in self.event.into_iter().flat_map(data_of) {
            row[field] = json!(value);
        }
        if let Some(key) = self.key {
            row["signingKey"] = json!(key.map(PublicKey::did_key));
        }
        row.serialize(serializer)
    }
}

impl fmt::Display for LogRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rev, time) = (rev_text(self.rev), text_of(self.micros.map(time_text).as_ref()));
        write!(f, "{rev}\t{}\t{time}\t", text_of(self.cid.as_ref()))?;
        match self.counts {
            Some([created, updated, deleted]) => write!(f, "+{created} ~{updated} -{deleted}\t")?,
            None if self.begins_here => f.write_str("history begins here\t")?,
            None => f.write_str("+? ~? -?\t")?,
        }
        match (self.message, self.event) {
            ("", Some(event)) => event.fmt(f)?,
            (message, _) => f.write_str(message)?,
        }
        self.key.map_or(Ok(()), |key| write!(f, "\t{}", text_of(key)))
    }
}

/// Returns the commits and keys of an event, each with its field.
fn data_of(event: &Event) -> Vec<(&'static str, String)> {
    match event {
        Event::Import { key, replaces } => {
            let keys = [("key", key), ("replacedKey", replaces)].into_iter();
            keys.filter_map(|(field, key)| Some((field, key.as_ref()?.to_string()))).collect()
        }
        Event::Merge { other, key } => {
            let key = key.as_ref().map(|key| ("key", key.to_string()));
            [("merged", other.to_string())].into_iter().chain(key).collect()
        }
        Event::Rotate { old, new } => {
            vec![("oldKey", old.to_string()), ("newKey", new.to_string())]
        }
        Event::Revert { commit } => vec![("reverted", commit.to_string())],
        _ => Vec::new(),
    }
}

/// A version of a record.
#[derive(Serialize)]
pub(crate) struct VersionRow<'a> {
    pub(crate) action: Action,
    pub(crate) cid: Option<Cid>,
    pub(crate) commit: CommitId,
    /// Why the version is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'a str>,
    pub(crate) prev: Option<Cid>,
    pub(crate) time: Option<String>,
    /// `None` if the commit names no account.
    pub(crate) uri: Option<&'a str>,
}

impl fmt::Display for VersionRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CommitId { cid, rev } = self.commit;
        let (rev, time) = (rev_text(rev), text_of(self.time.as_ref()));
        write!(f, "{rev}\t{cid}\t{time}\t{}\t{}", self.action.sign(), text_of(self.cid.as_ref()))?;
        self.message.map_or(Ok(()), |message| write!(f, "\t{message}"))
    }
}

fn text_of(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}
