//! The answers of `pds diff`, and of `pds show` about a commit.

use std::fmt;

use pds::RecordChange;
use pds::data::Value;
use pds::syntax::Nsid;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::change::{Action, ChangeText};
use crate::patch::lines::PatchLine;
use crate::records::changes::ChangeCounts;

/// A changed record.
pub(crate) struct DiffRow<'a>(pub(crate) &'a RecordChange);

impl Serialize for DiffRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        serialize_change(self.0, &mut map)?;
        map.end()
    }
}

fn serialize_change<M: SerializeMap>(change: &RecordChange, map: &mut M) -> Result<(), M::Error> {
    let RecordChange { path, before, after } = change;
    map.serialize_entry("action", &Action::of(*before, *after))?;
    map.serialize_entry("cid", after)?;
    map.serialize_entry("path", &path.to_string())?;
    map.serialize_entry("prev", before)
}

impl fmt::Display for DiffRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ChangeText(self.0).fmt(f)
    }
}

/// A changed record with its contents, as JSON, and the lines that differ, as text.
pub(crate) struct PatchRow<'a> {
    pub(crate) change: &'a RecordChange,
    pub(crate) before: Option<&'a Value>,
    pub(crate) after: Option<&'a Value>,
    pub(crate) lines: &'a [PatchLine],
}

impl Serialize for PatchRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(6))?;
        serialize_change(self.change, &mut map)?;
        map.serialize_entry("prevValue", &self.before)?;
        map.serialize_entry("value", &self.after)?;
        map.end()
    }
}

impl fmt::Display for PatchRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ChangeText(self.change).fmt(f)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

/// The path of a changed record.
pub(crate) struct PathRow<'a>(pub(crate) &'a RecordChange);

impl Serialize for PathRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("path", &self.0.path.to_string())?;
        map.end()
    }
}

impl fmt::Display for PathRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.path.fmt(f)
    }
}

/// The changes of a collection, with the difference of the sizes of its records.
#[derive(Clone, Debug)]
pub(crate) struct StatRow {
    pub(crate) collection: Nsid,
    pub(crate) counts: ChangeCounts,
    pub(crate) bytes: i64,
}

impl Serialize for StatRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("bytes", &self.bytes)?;
        map.serialize_entry("collection", self.collection.as_str())?;
        map.serialize_entry("created", &self.counts.created)?;
        map.serialize_entry("deleted", &self.counts.deleted)?;
        map.serialize_entry("updated", &self.counts.updated)?;
        map.end()
    }
}

impl fmt::Display for StatRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChangeCounts { created, updated, deleted } = self.counts;
        let (collection, bytes) = (&self.collection, self.bytes);
        write!(f, "{collection}\t+{created}\t~{updated}\t-{deleted}\t{bytes:+}")
    }
}
