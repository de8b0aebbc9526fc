//! The answer of `pds gc`.

use std::fmt;

use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GcAnswer {
    /// The size of the directory afterwards; `None` in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<u64>,
    pub(crate) before: u64,
    pub(crate) blobs: u64,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) dry_run: bool,
    /// The places outside of the repository that may contain remains of deleted data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remains: Option<String>,
    pub(crate) states: u64,
}

impl fmt::Display for GcAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, blocks, blobs, bytes, before, after, .. } = self;
        write!(
            f,
            "states   {states}\nblocks   {blocks}\nblobs    {blobs}\nbytes    {bytes}\nbefore   {before}"
        )?;
        after.map_or(Ok(()), |after| write!(f, "\nafter    {after}"))
    }
}
