//! The states of a CAR file, as revisions name them.

use std::cell::OnceCell;

use crate::error::{Error, Result};
use crate::history::parent::{Past, Walk, newest_until};
use crate::model::prefix::{CidPrefix, RevPrefix};
use crate::model::revision::{Anchor, Revision, Word};
use crate::model::revision_error::{Candidate, MAX_CANDIDATES, RevisionError};
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::{Commit, CommitError};
use pds_core::data::block::{Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::ref_name::RefName;

/// Returns the commit of a CAR file that a revision names.
///
/// `HEAD` is the first root of the file. A CID, a rev or a prefix of one names any commit of the file, and `~N` steps
/// back from it: to `prev`, or to the commit of the account with the next lower rev. A time names the first commit of these
/// steps from `HEAD` whose rev is not later. A file has no other refs and no log.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let first = repo.snapshot()?.commit().cid();
/// # repo.put(&"com.example.note/a".parse()?, &pds::data::Value::from([("n", 1.into())]))?;
/// # let mut bytes = Vec::new();
/// # repo.transfer().export_history(&"HEAD".parse()?, &mut bytes, &mut |_| {})?;
/// let file = pds::car::CarFile::open(std::io::Cursor::new(bytes))?;
/// let before = pds::history::in_file::resolve_in_file(&file, &"HEAD~1".parse()?)?;
/// assert_eq!(before, first);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Revision`] if the revision names no commit of the file, or several. [`Error::Car`] if the file has no root.
pub fn resolve_in_file<F: ReadAt>(file: &CarFile<F>, revision: &Revision) -> Result<Cid> {
    Ok(locate_in_file(file, revision)?.commit)
}

/// The commit of a file that a revision names.
pub(crate) struct LocatedInFile<'f, F> {
    pub(crate) commit: Cid,
    pub(crate) past: PastOfFile<'f, F>,
    /// The steps of `~N` up to the commit.
    pub(crate) walk: Walk,
}

/// Returns the commit that a revision names, with all that the steps before it need.
pub(crate) fn locate_in_file<'f, F: ReadAt>(
    file: &'f CarFile<F>,
    revision: &Revision,
) -> Result<LocatedInFile<'f, F>> {
    let no_root = || CarError::Header { reason: "the file has no root".to_owned() };
    let root = *file.roots().first().ok_or_else(no_root)?;
    let wrong = |reason: &str| Error::from(RevisionError::new(revision.as_typed(), reason));
    let mut commit = match &revision.base {
        Anchor::Ref { name, moves: 0 }
            if name.as_ref().is_none_or(|name| *name == RefName::head()) =>
        {
            root
        }
        Anchor::Ref { moves: 0, .. } => return Err(wrong("a CAR file has no refs")),
        Anchor::Ref { .. } | Anchor::RefAt { .. } => return Err(wrong("a CAR file has no log")),
        Anchor::Commit(cid) => *cid,
        Anchor::Word(word) => find_word(file, word, root, &wrong)?,
    };
    let (past, mut walk) = (PastOfFile::new(file, commit), Walk::default());
    if commit != root {
        past.commit(commit).map_err(|error| match error {
            Error::UnknownCommit(_) => wrong("the file has no such commit"),
            Error::Commit(CommitError::NotACommit { .. }) => wrong("the block is not a commit"),
            error => error,
        })?;
    }
    for back in 0..revision.back {
        commit = walk.step(&past, commit)?.before.ok_or_else(|| {
            wrong(&format!("the file has no parent of {}", revision.with_back(back)))
        })?;
    }
    Ok(LocatedInFile { commit, past, walk })
}

/// The past in a file: the commits of one account, by their revs.
pub(crate) struct PastOfFile<'f, F> {
    file: &'f CarFile<F>,
    /// The commit whose account counts.
    of: Cid,
    /// The revs and CIDs, in order; read before the first step that is not by `prev`.
    known: OnceCell<Vec<(Option<Tid>, Cid)>>,
}

impl<'f, F: ReadAt> PastOfFile<'f, F> {
    fn new(file: &'f CarFile<F>, of: Cid) -> Self {
        Self { file, of, known: OnceCell::new() }
    }

    fn known(&self) -> Result<&[(Option<Tid>, Cid)]> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let mut known = Vec::new();
        if let Some(of) = commit_at(self.file, self.of)? {
            for commit in commits(self.file) {
                let commit = commit?;
                if commit.did() == of.did() {
                    known.push((commit.rev(), commit.cid()));
                }
            }
        }
        known.sort_unstable();
        Ok(self.known.get_or_init(|| known))
    }
}

impl<F: ReadAt> Past for PastOfFile<'_, F> {
    fn commit(&self, cid: Cid) -> Result<Commit> {
        let missing = || self.file.damage_of(&cid).map_or(Error::UnknownCommit(cid), Error::Car);
        let block = self.file.get(&cid)?.ok_or_else(missing)?;
        Ok(Commit::decode_with_faults(&block)?)
    }

    /// A file does not tell what it lacks.
    fn is_recorded(&self, _: Cid) -> Result<bool> {
        Ok(false)
    }

    /// Returns the commit with the greatest rev that is smaller than those of the walk.
    fn candidates(&self, _: Cid, walk: &Walk) -> Result<Vec<Cid>> {
        let known = self.known()?;
        let earlier = known.partition_point(|(rev, _)| walk.is_earlier_rev(*rev));
        let last = earlier.checked_sub(1).and_then(|at| known.get(at));
        Ok(last.map(|(_, cid)| *cid).into_iter().collect())
    }
}

/// Returns the commit that a word names: by its rev, by its CID, or as the newest one until a time.
fn find_word<F: ReadAt>(
    file: &CarFile<F>,
    word: &Word,
    root: Cid,
    wrong: &dyn Fn(&str) -> Error,
) -> Result<Cid> {
    let Word { text, rev, cid, micros, .. } = word;
    if let Some(CidPrefix::Whole(cid)) = cid {
        return Ok(*cid);
    }
    let of_rev = |commit: &Commit| rev.as_ref().is_some_and(|rev| rev.fits(commit.rev()));
    let of_cid = |commit: &Commit| cid.as_ref().is_some_and(|cid| cid.fits(&commit.cid()));
    for is_meant in [&of_rev as &dyn Fn(&Commit) -> bool, &of_cid] {
        match commits_that(file, is_meant)?.as_slice() {
            [] => {}
            [one] => return Ok(one.commit),
            several => return Err(RevisionError::ambiguous(text, several.to_vec()).into()),
        }
    }
    match micros {
        Some(micros) => newest_until(&PastOfFile::new(file, root), root, *micros)?
            .ok_or_else(|| wrong("the file has no commit from that time or before")),
        None if rev.is_none() && cid.is_none() => {
            Err(wrong(&format!("a CAR file has no refs; {}", Word::too_short())))
        }
        None => Err(wrong(&match rev.as_ref().and_then(RevPrefix::whole) {
            Some(rev) => format!("the file has no commit with rev {rev}"),
            None => "the file has no commit whose rev or CID begins with it".to_owned(),
        })),
    }
}

/// Returns the commits that are meant, at most as many as an error lists.
fn commits_that<F: ReadAt>(
    file: &CarFile<F>,
    is_meant: &dyn Fn(&Commit) -> bool,
) -> Result<Vec<Candidate>> {
    let meant = commits(file).filter(|commit| commit.as_ref().map_or(true, is_meant));
    let candidate = |commit: Result<Commit>| {
        commit.map(|commit| Candidate { commit: commit.cid(), rev: commit.rev() })
    };
    meant.map(candidate).take(MAX_CANDIDATES).collect()
}

/// Iterates over the commits of a file without malformed fields, in file order.
pub(crate) fn commits<F: ReadAt>(file: &CarFile<F>) -> impl Iterator<Item = Result<Commit>> + '_ {
    let all = file.possible_commits().filter_map(|cid| match cid {
        Ok(cid) => commit_at(file, cid).transpose(),
        Err(error) => Some(Err(error.into())),
    });
    all.filter(|commit| commit.as_ref().map_or(true, |commit| commit.faults().is_empty()))
}

/// Returns a commit, or `None` if the block is missing, damaged or not a commit. Its fields may be malformed.
pub(crate) fn commit_at<F: ReadAt>(file: &CarFile<F>, cid: Cid) -> Result<Option<Commit>> {
    match file.get(&cid) {
        Ok(block) => Ok(block.and_then(|block| Commit::decode_with_faults(&block).ok())),
        Err(ReadError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
