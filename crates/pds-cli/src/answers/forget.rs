//! The answer of `pds forget`.

use std::fmt;

use serde::Serialize;

use super::refs::RefRow;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForgetAnswer {
    pub(crate) blobs: u64,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) dry_run: bool,
    /// No file of the repository contains the purged records.
    pub(crate) erased: bool,
    pub(crate) moves: u64,
    /// The commits that were written in order to delete the records.
    pub(crate) refs: Vec<RefRow>,
    pub(crate) states: u64,
}

impl fmt::Display for ForgetAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, moves, blocks, blobs, bytes, .. } = self;
        self.refs.iter().try_for_each(|written| writeln!(f, "{written}"))?;
        write!(
            f,
            "states   {states}\nmoves    {moves}\nblocks   {blocks}\nblobs    {blobs}\nbytes    {bytes}"
        )
    }
}
