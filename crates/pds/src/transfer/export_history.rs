//! The export of a whole history to one CAR file.

use std::io::Write;

use crate::error::Result;
use crate::history::handle::History;
use crate::model::revision::Revision;
use crate::transfer::export::{Exported, Once};
use crate::transfer::handle::Transfer;
use crate::transfer::incoming::{Passed, unboxed};
use crate::transfer::state_blocks::StateBlocks;
use crate::transfer::state_blocks::states_of;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_store::error::StoreError;

/// The counts of an export of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedHistory {
    /// The file.
    pub file: Exported,
    /// The commit that the file names as its root.
    pub commit: Commit,
    /// The number of states in the file.
    pub states: u64,
    /// Blocks of past states that are missing or damaged, and so not in the file.
    pub lost: Vec<Cid>,
}

impl Transfer<'_> {
    /// Writes every state that a ref or the log names as one CAR file. The commit of a revision is the root, and its
    /// blocks come first, in streamable order.
    ///
    /// Memory grows with at most 16 bytes for each block.
    ///
    /// An import or a clone of the file stores all states, each with a row of the log. Names of refs, messages and times
    /// are not part of a CAR file.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// repo.put(&"com.example.note/a".parse()?, &note)?;
    /// let mut file = Vec::new();
    /// let exported = repo.transfer().export_history(&"HEAD".parse()?, &mut file, &mut |_| {})?;
    /// assert_eq!(exported.states, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Revision`](crate::Error::Revision) if the revision names no commit,
    /// [`Error::StateLost`](crate::Error::StateLost) if a ref points to a damaged state; otherwise as
    /// [`export_car`](crate::transfer::export::export_car).
    pub fn export_history(
        &self,
        at: &Revision,
        out: &mut dyn Write,
        progress: &mut dyn FnMut(u64),
    ) -> Result<ExportedHistory> {
        let moment = self.parts.moment()?;
        let snapshot = History::new(self.parts).checkout(at)?;
        let commit = snapshot.commit().clone();
        let states = states_of(self.parts, &moment, Some(commit.cid()))?;
        let count = states.len() as u64 + 1;
        let (mut car, mut passed) = (Once::new(out, &snapshot, progress)?, Passed::default());
        car.whole(&snapshot, Some(&mut passed))?;
        let mut blocks =
            StateBlocks::new(moment.blocks.as_ref(), commit.did(), states, commit.cid());
        blocks.passed = passed;
        for block in &mut blocks {
            let block = block.map_err(|error| unboxed(StoreError::Blocks(error).into()))?;
            car.append(block.borrowed())?;
        }
        let lost = std::mem::take(&mut blocks.lost);
        Ok(ExportedHistory { file: car.finish()?, commit, states: count, lost })
    }
}
