//! The states of a CAR file, as revisions name them.

use crate::error::{Error, Result};
use crate::model::prefix::{CidPrefix, RevPrefix};
use crate::model::revision::{Anchor, Revision, Word};
use crate::model::revision_error::{Candidate, MAX_CANDIDATES, RevisionError};
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::data::block::{Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::ref_name::RefName;

/// Returns the commit of a CAR file that a revision names.
///
/// `HEAD` is the first root of the file. A CID, a rev or a prefix of one names any commit of the file, and `~N` steps
/// back from it: to `prev`, or to the commit of the account with the next lower rev. A time names the newest commit
/// whose rev is not later. A file has no other refs and no log.
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
    if commit != root && commit_at(file, commit)?.is_none() {
        return Err(wrong("the file has no such commit"));
    }
    for back in 0..revision.back {
        commit = before(file, commit)?.ok_or_else(|| {
            wrong(&format!("the file has no parent of {}", revision.with_back(back)))
        })?;
    }
    Ok(commit)
}

/// Returns the parent of a commit: `prev` if the file has it, or the commit of the account with the next lower rev.
fn before<F: ReadAt>(file: &CarFile<F>, commit: Cid) -> Result<Option<Cid>> {
    let Some(commit) = commit_at(file, commit)? else { return Ok(None) };
    if let Some(prev) = commit.prev()
        && commit_at(file, prev)?.is_some()
    {
        return Ok(Some(prev));
    }
    let mut found: Option<Commit> = None;
    for other in commits(file) {
        let other = other?;
        let is_later = found.as_ref().is_none_or(|found| found.rev() < other.rev());
        if other.did() == commit.did() && other.rev() < commit.rev() && is_later {
            found = Some(other);
        }
    }
    Ok(found.map(|found| found.cid()))
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
        Some(micros) => newest_until(file, root, *micros)?
            .ok_or_else(|| wrong("the file has no commit from before the end of that time")),
        None if rev.is_none() && cid.is_none() => Err(wrong("a CAR file has no refs")),
        None => Err(wrong(&match rev.as_ref().and_then(RevPrefix::whole) {
            Some(rev) => format!("the file has no commit with rev {rev}"),
            None => "the file has no commit whose rev or CID begins with it".to_owned(),
        })),
    }
}

/// Returns the newest commit of the account whose rev is neither after a time nor after that of the root.
fn newest_until<F: ReadAt>(file: &CarFile<F>, root: Cid, micros: u64) -> Result<Option<Cid>> {
    let Some(root) = commit_at(file, root)? else { return Ok(None) };
    let is_meant = |commit: &Commit| {
        let of_rev = commit.rev().and_then(Tid::rev_micros);
        of_rev.is_some_and(|of_rev| of_rev <= micros)
            && commit.rev() <= root.rev()
            && commit.did() == root.did()
    };
    let mut found: Option<Commit> = is_meant(&root).then(|| root.clone());
    for commit in commits(file) {
        let commit = commit?;
        let is_later = found.as_ref().is_none_or(|found| found.rev() < commit.rev());
        if is_later && is_meant(&commit) {
            found = Some(commit);
        }
    }
    Ok(found.map(|found| found.cid()))
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
