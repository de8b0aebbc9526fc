//! The answers of `pds log` and `pds reflog`.

use std::fmt;

use pds::crypto::PublicKey;
use pds::data::Cid;
use pds::store::{Event, LogEntry};
use pds::syntax::Tid;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::change::Action;
use super::commit::CommitId;
use crate::process::text::{rev_text, time_text};
use crate::records::changes::ChangeCounts;

/// One commit of a history.
pub(crate) struct LogRow<'a> {
    pub(crate) cid: Cid,
    pub(crate) rev: Option<Tid>,
    /// The time of the rev, or else of the log entry. `None` if neither is known.
    pub(crate) micros: Option<u64>,
    /// `None` if the commit or its tree cannot be read, or if the states before the commit were purged.
    pub(crate) counts: Option<ChangeCounts>,
    /// Earlier states were purged, and no state before this one is known.
    pub(crate) begins_here: bool,
    pub(crate) event: Option<&'a Event>,
    pub(crate) message: &'a str,
    /// The key that signed; the outer `None` means that no key history was given.
    pub(crate) key: Option<Option<&'a PublicKey>>,
}

impl LogRow<'_> {
    /// Returns the counts as text.
    fn counts_text(&self) -> String {
        match self.counts {
            Some(ChangeCounts { created, updated, deleted }) => {
                format!("+{created} ~{updated} -{deleted}")
            }
            None if self.begins_here => "history begins here".to_owned(),
            None => "+? ~? -?".to_owned(),
        }
    }
}

impl Serialize for LogRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = json!({
            "cid": self.cid,
            "rev": self.rev.map(|rev| rev.to_string()),
            "time": self.micros.map(time_text),
            "created": self.counts.map(|counts| counts.created),
            "updated": self.counts.map(|counts| counts.updated),
            "deleted": self.counts.map(|counts| counts.deleted),
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
        let (cid, counts, event) = (self.cid, self.counts_text(), text_of(self.event));
        write!(f, "{rev}\t{cid}\t{time}\t{counts}\t{event}\t{}", self.message)?;
        self.key.map_or(Ok(()), |key| write!(f, "\t{}", text_of(key)))
    }
}

/// A commit in one short line.
pub(crate) struct ShortRow<'a>(pub(crate) LogRow<'a>);

impl Serialize for ShortRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl fmt::Display for ShortRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.0.cid, self.0.counts_text())?;
        match (self.0.message, self.0.event) {
            ("", Some(event)) => event.fmt(f),
            (message, _) => f.write_str(message),
        }
    }
}

/// One move of a ref.
pub(crate) struct MoveRow<'a> {
    pub(crate) entry: &'a LogEntry,
    /// The number of later moves.
    pub(crate) number: u64,
    pub(crate) rev: Option<Tid>,
    /// The difference between the commits before and after the move. JSON does not have it.
    pub(crate) counts: Option<ChangeCounts>,
    pub(crate) is_short: bool,
}

impl Serialize for MoveRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let LogEntry { name, before, after, at_micros, event, message, .. } = self.entry;
        let mut row = json!({
            "ref": name.as_str(),
            "n": self.number,
            "before": before,
            "after": after,
            "rev": self.rev.map(|rev| rev.to_string()),
            "time": time_text(*at_micros),
            "event": event.word(),
            "message": message,
        });
        for (field, value) in data_of(event) {
            row[field] = json!(value);
        }
        row.serialize(serializer)
    }
}

impl fmt::Display for MoveRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogEntry { after, at_micros, event, message, .. } = self.entry;
        let (number, cid) = (self.number, text_of(after.as_ref()));
        if self.is_short {
            write!(f, "@{{{number}}} {cid} ")?;
            return if message.is_empty() { event.fmt(f) } else { f.write_str(message) };
        }
        let counts = self.counts.map_or_else(
            || "+? ~? -?".to_owned(),
            |ChangeCounts { created, updated, deleted }| {
                format!("+{created} ~{updated} -{deleted}")
            },
        );
        let (rev, time) = (rev_text(self.rev), time_text(*at_micros));
        write!(f, "@{{{number}}}\t{rev}\t{cid}\t{time}\t{counts}\t{event}\t{message}")
    }
}

/// Returns the commits and keys of an event, each with its field.
fn data_of(event: &Event) -> Vec<(&'static str, String)> {
    match event {
        Event::Import { key, replaces, .. } => {
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
