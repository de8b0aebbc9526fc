//! The answer of `pds diff`.

use std::fmt;

use pds::RecordChange;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::change::{Action, ChangeText};

pub(crate) struct DiffRow(pub(crate) RecordChange);

impl Serialize for DiffRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let RecordChange { path, before, after } = &self.0;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("action", &Action::of(*before, *after))?;
        map.serialize_entry("cid", after)?;
        map.serialize_entry("path", &path.to_string())?;
        map.serialize_entry("prev", before)?;
        map.end()
    }
}

impl fmt::Display for DiffRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ChangeText(&self.0).fmt(f)
    }
}
