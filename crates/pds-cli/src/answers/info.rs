//! The answer of `pds info`, `pds init` and `pds clone`.

use std::collections::BTreeMap;
use std::fmt;

use pds::data::Cid;
use pds::syntax::{Datetime, Tid};
use serde::{Serialize, Serializer};

use super::arrived::Arrived;
use super::json::optional_text;
use crate::process::text::{counted_plain, rev_text};

/// A repository in one state.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Info {
    pub(crate) blobs: u64,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    /// The collections in the order of the tree, each with the number of its records.
    #[serde(serialize_with = "by_name")]
    pub(crate) collections: Vec<(String, u64)>,
    pub(crate) commit: Cid,
    pub(crate) data: Cid,
    pub(crate) did: Option<String>,
    /// The host that a mirror follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    pub(crate) nodes: u64,
    /// When the host was asked last.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_text")]
    pub(crate) pulled_at: Option<Datetime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reclaimable: Option<Reclaimable>,
    pub(crate) records: u64,
    #[serde(serialize_with = "optional_text")]
    pub(crate) rev: Option<Tid>,
    pub(crate) signing_key: Option<String>,
    /// `None` if the field of the commit is malformed.
    pub(crate) version: Option<u8>,
    /// The other states in the file that was cloned.
    #[serde(flatten)]
    pub(crate) arrived: Option<Arrived>,
    #[serde(skip)]
    pub(crate) can_sign: bool,
}

/// The data that `gc` would delete.
#[derive(Serialize)]
pub(crate) struct Reclaimable {
    pub(crate) blobs: u64,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

fn by_name<S: Serializer>(counts: &[(String, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    let sorted: BTreeMap<&String, &u64> =
        counts.iter().map(|(name, count)| (name, count)).collect();
    serializer.collect_map(sorted)
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = match (&self.signing_key, self.can_sign) {
            (Some(key), true) => key.clone(),
            (Some(key), false) => format!("{key} (public key only: a mirror)"),
            (None, _) => "unknown (a mirror)".to_owned(),
        };
        let did = self.did.as_deref().unwrap_or("-");
        let version = self.version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let Self { commit, data, records, blocks, nodes, blobs, bytes, .. } = self;
        let (rev, nodes) = (rev_text(self.rev), counted_plain(*nodes, "tree node"));
        write!(
            f,
            "did      {did}\nkey      {key}\ncommit   {commit}\nrev      {rev}\ndata     {data}\n\
             version  {version}\nrecords  {records}\nblocks   {blocks} ({nodes})\n\
             blobs    {blobs}\nbytes    {bytes}"
        )?;
        if let Some(host) = &self.host {
            write!(f, "\nhost     {host}")?;
        }
        if let Some(Reclaimable { blobs, blocks, bytes }) = &self.reclaimable {
            write!(f, "\ngarbage  {bytes} bytes ({blocks} blocks, {blobs} blobs)")?;
        }
        let mut collections = self.collections.iter();
        collections.try_for_each(|(collection, count)| write!(f, "\n  {collection}\t{count}"))
    }
}
