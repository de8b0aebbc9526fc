//! The values that complete an argument.

use std::ops::ControlFlow;

use pds::Snapshot;
use pds::mst::Key;
use pds::syntax::Nsid;

use super::opened::Opened;
use crate::process::text::{rev_time_text, time_text};
use crate::repository::open::Place;

/// What an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueOf {
    Record,
    Collection,
    State,
    Ref,
    Blob,
}

/// A value, and a remark about it.
pub(super) struct Value {
    pub(super) text: String,
    pub(super) about: Option<String>,
}

impl Value {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), about: None }
    }

    fn about(self, about: impl Into<Option<String>>) -> Self {
        Self { about: about.into(), ..self }
    }
}

/// Finds the values of a kind that begin with a text. `None` if the repository cannot be read.
pub(super) fn find(kind: ValueOf, place: &Place, text: &str) -> Option<Vec<Value>> {
    let opened = Opened::of(place)?;
    let mut values = match kind {
        ValueOf::Record => records_at(&opened, text)?,
        ValueOf::Collection => collections(&opened.snapshot(None)?, text),
        ValueOf::State => match records_of_state(&opened, text) {
            Some(records) => records,
            None => states(&opened, text)?,
        },
        ValueOf::Ref => refs(&opened, text)?,
        ValueOf::Blob => blobs(&opened, text)?,
    };
    values.truncate(MAX_VALUES);
    Some(values)
}

/// Finds records, also those of another state.
fn records_at(opened: &Opened, text: &str) -> Option<Vec<Value>> {
    if let Some(records) = records_of_state(opened, text) {
        return Some(records);
    }
    let snapshot = opened.snapshot(None)?;
    if !text.is_empty() && (URI.starts_with(text) || text.starts_with(URI)) {
        let account = format!("{URI}{}/", snapshot.commit().known_did()?);
        return Some(match text.strip_prefix(&account) {
            Some(path) => with_prefix(&account, records(&snapshot, path)),
            None if account.starts_with(text) => vec![Value::new(account)],
            None => Vec::new(),
        });
    }
    Some(records(&snapshot, text))
}

/// Finds the records of a state before a colon: `REV:PATH`.
fn records_of_state(opened: &Opened, text: &str) -> Option<Vec<Value>> {
    let (state, path) = text.split_once(':')?;
    if state.contains('/') || ["at", "did", "http", "https"].contains(&state) {
        return None;
    }
    let snapshot = opened.snapshot(Some(state))?;
    Some(with_prefix(&format!("{state}:"), records(&snapshot, path)))
}

fn with_prefix(prefix: &str, values: Vec<Value>) -> Vec<Value> {
    let prefixed = |value: Value| Value { text: format!("{prefix}{}", value.text), ..value };
    values.into_iter().map(prefixed).collect()
}

/// Finds the records of a collection, or the collections while their name is incomplete.
fn records(snapshot: &Snapshot, text: &str) -> Vec<Value> {
    let Some((collection, _)) = text.split_once('/') else {
        let names = collections(snapshot, text);
        return names.into_iter().map(|name| Value::new(name.text + "/")).collect();
    };
    let Ok(start) = Key::new(text.as_bytes()) else { return Vec::new() };
    let is_collection = collection.parse::<Nsid>().is_ok();
    let keys = snapshot.tree().range(start..).take_while(|entry| {
        is_collection && entry.as_ref().is_ok_and(|entry| begins_with(&entry.key, text))
    });
    let paths = keys.filter_map(|entry| String::from_utf8(entry.ok()?.key.as_bytes().into()).ok());
    let value = |path: String| {
        let rkey = path.rsplit('/').next().and_then(|rkey| rkey.parse().ok());
        let time = rkey.and_then(rev_time_text);
        Value::new(path).about(time)
    };
    paths.take(MAX_VALUES).map(value).collect()
}

/// Finds the collections whose names begin with a text. One key of each is read, not all records.
fn collections(snapshot: &Snapshot, text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut start = text.as_bytes().to_vec();
    while found.len() < MAX_VALUES {
        let entry = match Key::new(start.as_slice()) {
            Ok(start) => snapshot.tree().range(start..).next(),
            Err(_) if start.is_empty() => snapshot.tree().range(..).next(),
            Err(_) => None,
        };
        let Some(Ok(entry)) = entry else { break };
        let Ok(key) = std::str::from_utf8(entry.key.as_bytes()) else { break };
        let Some((collection, _)) = key.split_once('/') else { break };
        if !collection.starts_with(text) {
            break;
        }
        // The byte after the slash: the first key that is not in the collection.
        start = format!("{collection}0").into_bytes();
        found.push(Value::new(collection));
    }
    // Records sort by the whole path, in which `a.b-c` comes before `a.b`.
    found.sort_by(|a, b| a.text.cmp(&b.text));
    found
}

fn begins_with(key: &Key, text: &str) -> bool {
    key.as_bytes().starts_with(text.as_bytes())
}

/// Finds refs and the revisions of the latest moves; after two dots, the second state of two.
fn states(opened: &Opened, text: &str) -> Option<Vec<Value>> {
    if let Some((first, second)) = text.split_once("..")
        && !first.is_empty()
        && !first.contains('/')
    {
        return Some(with_prefix(&format!("{first}.."), states(opened, second)?));
    }
    let mut values = refs(opened, text)?;
    let Opened::Repo(repo) = opened else { return Some(values) };
    let moves = repo.history().log(MAX_MOVES).ok()?;
    for (n, entry) in moves.iter().enumerate() {
        let Some(commit) = entry.after else { continue };
        let time = time_text(entry.at_micros);
        let about = format!("{time} {} {}", entry.event, entry.message).trim_end().to_owned();
        let cid = commit.to_string();
        let rev = || Some(repo.checkout(&commit.into()).ok()?.commit().rev()?.to_string());
        let value = match text {
            _ if text.starts_with('@') => Some(format!("@{{{n}}}")),
            _ if text.starts_with("bafy") => Some(cid),
            _ => rev(),
        };
        let is_new = |value: &String| values.iter().all(|known| known.text != *value);
        if let Some(value) = value.filter(|value| value.starts_with(text) && is_new(value)) {
            values.push(Value::new(value).about(about));
        }
    }
    Some(values)
}

fn refs(opened: &Opened, text: &str) -> Option<Vec<Value>> {
    let names: Vec<String> = match opened {
        Opened::Repo(repo) => {
            let refs = repo.history().refs().ok()?;
            refs.into_iter().map(|(name, _)| name.to_string()).collect()
        }
        Opened::Car(_) => vec!["HEAD".to_owned()],
    };
    Some(names.into_iter().filter(|name| name.starts_with(text)).map(Value::new).collect())
}

fn blobs(opened: &Opened, text: &str) -> Option<Vec<Value>> {
    let Opened::Repo(repo) = opened else { return None };
    let mut found = Vec::new();
    let listed = repo.blobs().list(&mut |blob| {
        let cid = blob.cid.to_string();
        if cid.starts_with(text) {
            found.push(Value::new(cid).about(format!("{} bytes", blob.size_bytes)));
        }
        if found.len() < MAX_VALUES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    listed.ok().map(|()| found)
}

const URI: &str = "at://";

/// The most values that are offered.
const MAX_VALUES: usize = 300;

/// The number of moves whose revisions are offered.
const MAX_MOVES: usize = 30;
