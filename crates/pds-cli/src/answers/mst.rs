//! The answer of `pds mst`.

use std::fmt;

use pds::data::Cid;
use serde::Serialize;

/// A node of the tree, indented by its depth.
#[derive(Serialize)]
pub(crate) struct NodeRow {
    pub(crate) bytes: usize,
    pub(crate) entries: usize,
    pub(crate) level: u8,
    pub(crate) node: Cid,
    #[serde(skip)]
    pub(crate) depth: usize,
}

impl fmt::Display for NodeRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, level, entries, depth, .. } = self;
        let noun = if *entries == 1 { "entry" } else { "entries" };
        write!(f, "{:indent$}{node} level {level}, {entries} {noun}", "", indent = depth * 2)
    }
}

#[derive(Serialize)]
pub(crate) struct EntryRow {
    pub(crate) cid: Cid,
    pub(crate) level: u8,
    pub(crate) path: String,
    #[serde(skip)]
    pub(crate) depth: usize,
}

impl fmt::Display for EntryRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:indent$}- {} {}", "", self.path, self.cid, indent = self.depth * 2)
    }
}
