//! The commits of a CAR file, from one commit back to the first.

use crate::error::Result;
use crate::history::commits::PastCommit;
use crate::history::in_file::{LocatedInFile, PastOfFile, locate_in_file};
use crate::history::parent::{Walk, WalkedCommit};
use crate::model::revision::Revision;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::data::cid::Cid;
use std::fmt;

/// The commits of a CAR file, newest first; see [`commits_in_file`].
pub struct CommitsInFile<'f, F> {
    past: PastOfFile<'f, F>,
    walk: Walk,
    next: Option<Cid>,
}

impl<F> fmt::Debug for CommitsInFile<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitsInFile").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Returns the commits of a CAR file from a revision backwards, or from the first root.
///
/// The steps are those of `~1` in [`resolve_in_file`](super::in_file::resolve_in_file): to `prev` if the file has it, or to the commit of the account
/// with the next lower rev. A `prev` that is in the file but cannot be read is an item of its own. If a commit names a
/// `prev` that the file lacks, its changes are unknown. Only the CIDs and revs of the commits are held in memory.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # repo.put(&"com.example.note/a".parse()?, &pds::data::Value::from([("n", 1.into())]))?;
/// # let mut bytes = Vec::new();
/// # repo.transfer().export_history(&"HEAD".parse()?, &mut bytes, &mut |_| {})?;
/// let file = pds::car::CarFile::open(std::io::Cursor::new(bytes))?;
/// let commits = pds::history::commits_in_file::commits_in_file(&file, None)?;
/// assert_eq!(commits.count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`resolve_in_file`](super::in_file::resolve_in_file).
pub fn commits_in_file<'f, F: ReadAt>(
    file: &'f CarFile<F>,
    from: Option<&Revision>,
) -> Result<CommitsInFile<'f, F>> {
    let LocatedInFile { commit, past, walk } =
        locate_in_file(file, from.unwrap_or(&Revision::head()))?;
    Ok(CommitsInFile { past, walk, next: Some(commit) })
}

impl<F: ReadAt> CommitsInFile<'_, F> {
    fn advance(&mut self) -> Result<Option<PastCommit>> {
        let Some(cid) = self.next.take() else { return Ok(None) };
        let WalkedCommit { commit, before: parent } = self.walk.step(&self.past, cid)?;
        self.next = parent;
        let is_cut = match (&commit, parent) {
            (Ok(commit), Some(parent)) => commit.prev().is_some_and(|prev| prev != parent),
            _ => false,
        };
        Ok(Some(PastCommit { cid, commit, parent, is_cut, arrival: None }))
    }
}

impl<F: ReadAt> Iterator for CommitsInFile<'_, F> {
    type Item = Result<PastCommit>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
