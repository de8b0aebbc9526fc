//! The commits of a CAR file, from one commit back to the first.

use crate::error::Result;
use crate::history::commits::PastCommit;
use crate::history::in_file::{commit_at, commits, resolve_in_file};
use crate::history::parent::Walk;
use crate::model::revision::Revision;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;

/// The commits of a CAR file, newest first; see [`commits_in_file`].
pub struct CommitsInFile<'f, F> {
    file: &'f CarFile<F>,
    /// The commits of the account, by their revs.
    known: Vec<(Option<Tid>, Cid)>,
    walk: Walk,
    next: Option<Cid>,
}

/// Returns the commits of a CAR file from a revision backwards, or from the first root.
///
/// The steps are those of `~1` in [`resolve_in_file`]: to `prev` if the file has it, or to the commit of the account
/// with the next lower rev. Only the CIDs and revs of the commits are held in memory.
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
/// As [`resolve_in_file`].
pub fn commits_in_file<'f, F: ReadAt>(
    file: &'f CarFile<F>,
    from: Option<&Revision>,
) -> Result<CommitsInFile<'f, F>> {
    let start = resolve_in_file(file, from.unwrap_or(&Revision::head()))?;
    let mut known = Vec::new();
    if let Some(first) = commit_at(file, start)? {
        for commit in commits(file) {
            let commit = commit?;
            if commit.did() == first.did() {
                known.push((commit.rev(), commit.cid()));
            }
        }
    }
    known.sort_unstable();
    Ok(CommitsInFile { file, known, walk: Walk::default(), next: Some(start) })
}

impl<F: ReadAt> CommitsInFile<'_, F> {
    fn advance(&mut self) -> Result<Option<PastCommit>> {
        let Some(cid) = self.next.take() else { return Ok(None) };
        let Some(commit) = commit_at(self.file, cid)? else { return Ok(None) };
        let parent = self.before(&commit)?;
        self.next = parent;
        let (commit, arrival) = (Ok(commit), None);
        Ok(Some(PastCommit { cid, commit, parent, is_cut: false, arrival }))
    }

    fn before(&mut self, commit: &Commit) -> Result<Option<Cid>> {
        self.walk.pass(commit);
        if let Some(prev) = commit.prev()
            && commit_at(self.file, prev)?.is_some()
        {
            return Ok(Some(prev));
        }
        let earlier = self.known.partition_point(|(rev, _)| self.walk.is_earlier_rev(*rev));
        let found = earlier.checked_sub(1).and_then(|at| self.known.get(at));
        Ok(found.map(|(_, cid)| *cid))
    }
}

impl<F: ReadAt> Iterator for CommitsInFile<'_, F> {
    type Item = Result<PastCommit>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
