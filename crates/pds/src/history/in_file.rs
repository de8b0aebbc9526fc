//! The states of a CAR file, as revisions name them.

use crate::error::{Error, Result};
use crate::model::revision::{Anchor, Revision, RevisionError};
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
/// `HEAD` is the first root of the file. A CID or a rev names any commit of the file, and `~N` steps back from it: to
/// `prev`, or to the commit of the account with the next lower rev. A file has no other refs and no log.
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
    let wrong = |reason: String| Error::from(RevisionError { text: revision.to_string(), reason });
    let mut commit = match &revision.base {
        Anchor::Ref { name, moves: 0 }
            if name.as_ref().is_none_or(|name| *name == RefName::head()) =>
        {
            root
        }
        Anchor::Ref { moves: 0, .. } => return Err(wrong("a CAR file has no refs".to_owned())),
        Anchor::Ref { .. } => return Err(wrong("a CAR file has no log".to_owned())),
        Anchor::Commit(cid) => *cid,
        Anchor::RefOrRev(_, rev) => match commits_with(file, *rev)?.as_slice() {
            [] => return Err(wrong(format!("the file has no commit with rev {rev}"))),
            [commit] => *commit,
            [one, other, ..] => {
                let reason = format!("the file has two commits with this rev: {one} and {other}");
                return Err(wrong(reason));
            }
        },
    };
    if commit != root && commit_at(file, commit)?.is_none() {
        return Err(wrong("the file has no such commit".to_owned()));
    }
    for back in 0..revision.back {
        commit = before(file, commit)?.ok_or_else(|| {
            let last = Revision { base: revision.base.clone(), back };
            wrong(format!("the file has no parent of {last}"))
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

/// Returns the commits with a rev, at most two of them.
fn commits_with<F: ReadAt>(file: &CarFile<F>, rev: Tid) -> Result<Vec<Cid>> {
    let of_rev = commits(file).filter_map(|commit| match commit {
        Ok(commit) => (commit.rev() == Some(rev)).then(|| Ok(commit.cid())),
        Err(error) => Some(Err(error)),
    });
    of_rev.take(2).collect()
}

/// Iterates over the commits of a file without malformed fields, in file order.
fn commits<F: ReadAt>(file: &CarFile<F>) -> impl Iterator<Item = Result<Commit>> + '_ {
    let all = file.possible_commits().filter_map(|cid| match cid {
        Ok(cid) => commit_at(file, cid).transpose(),
        Err(error) => Some(Err(error.into())),
    });
    all.filter(|commit| commit.as_ref().map_or(true, |commit| commit.faults().is_empty()))
}

/// Returns a commit, or `None` if the block is missing, damaged or not a commit. Its fields may be malformed.
fn commit_at<F: ReadAt>(file: &CarFile<F>, cid: Cid) -> Result<Option<Commit>> {
    match file.get(&cid) {
        Ok(block) => Ok(block.and_then(|block| Commit::decode_with_faults(&block).ok())),
        Err(ReadError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
