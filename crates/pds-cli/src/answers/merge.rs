//! The answers of `pds merge`; `pds revert` has the same conflicts.

use std::fmt;

use pds::data::Cid;
use pds::merge::commit::{MergeKind, Merged};
use pds::syntax::AtUri;
use pds::{RecordChange, Versions};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::change::{Action, ChangeText};
use super::commit::CommitId;

pub(crate) struct MergeAnswer<'a>(pub(crate) &'a Merged);

impl Serialize for MergeAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Merged { commit, how, changes, new_blocks, .. } = self.0;
        let did = commit.did();
        let change = |RecordChange { path, before, after }: &RecordChange| MergedChange {
            action: Action::of(*before, *after),
            cid: *after,
            prev: *before,
            uri: AtUri::record(did, path).to_string(),
        };
        let how = match how {
            MergeKind::Nothing => "nothing",
            MergeKind::FastForward => "fast-forward",
            MergeKind::Commit => "commit",
        };
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("blocks", new_blocks)?;
        map.serialize_entry("changes", &changes.iter().map(change).collect::<Vec<_>>())?;
        map.serialize_entry("commit", &CommitId::of(commit))?;
        map.serialize_entry("how", how)?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct MergedChange {
    action: Action,
    cid: Option<Cid>,
    prev: Option<Cid>,
    uri: String,
}

impl fmt::Display for MergeAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CommitId::of(&self.0.commit).fmt(f)?;
        self.0.changes.iter().try_for_each(|change| write!(f, "\n{}", ChangeText(change)))
    }
}

/// A record that both sides have changed.
#[derive(serde::Serialize)]
pub(crate) struct ConflictRow {
    base: Option<Cid>,
    ours: Option<Cid>,
    path: String,
    theirs: Option<Cid>,
}

impl From<&Versions> for ConflictRow {
    fn from(versions: &Versions) -> Self {
        let Versions { path, base, ours, theirs } = versions;
        Self { base: *base, ours: *ours, path: path.to_string(), theirs: *theirs }
    }
}

impl fmt::Display for ConflictRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "! {}", self.path)?;
        [self.base, self.ours, self.theirs].into_iter().try_for_each(|cid| match cid {
            Some(cid) => write!(f, " {cid}"),
            None => f.write_str(" -"),
        })
    }
}
