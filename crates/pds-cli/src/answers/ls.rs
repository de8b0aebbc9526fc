//! The answers of `pds ls`.

use std::fmt;

use pds::data::Cid;
use pds::syntax::{AtUri, Did, RecordPath};
use serde::ser::{Serialize, SerializeMap, Serializer};

#[derive(serde::Serialize)]
pub(crate) struct CollectionRow {
    pub(crate) collection: String,
    pub(crate) count: u64,
}

display!(CollectionRow, "{collection}\t{count}", collection, count);

pub(crate) struct RecordRow<'a> {
    /// The account, or `None` if the commit names none.
    pub(crate) did: Option<&'a Did>,
    pub(crate) path: &'a RecordPath,
    pub(crate) cid: Cid,
    /// The text starts with the collection.
    pub(crate) has_collection: bool,
    /// The size, if it was asked for; `Some(None)` if the record is missing or damaged.
    pub(crate) size: Option<Option<usize>>,
}

impl Serialize for RecordRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("cid", &self.cid)?;
        map.serialize_entry("path", &self.path.to_string())?;
        map.serialize_entry("rkey", self.path.rkey.as_str())?;
        if let Some(size) = self.size {
            map.serialize_entry("size", &size)?;
        }
        let uri = self.did.map(|did| AtUri::record(did, self.path).to_string());
        map.serialize_entry("uri", &uri)?;
        map.end()
    }
}

impl fmt::Display for RecordRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordPath { collection, rkey } = self.path;
        if self.has_collection {
            write!(f, "{collection}/")?;
        }
        write!(f, "{rkey}\t{}", self.cid)?;
        match self.size {
            None => Ok(()),
            Some(None) => f.write_str("\t-"),
            Some(Some(size)) => write!(f, "\t{size}"),
        }
    }
}
