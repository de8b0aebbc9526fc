//! The check of a repository in a source with random access to blocks.

use crate::error::{Error, Result};
use crate::model::finding::Finding;
use crate::model::report::{Expected, Report};
use crate::run_ahead::ahead;
use crate::verify::check::Check;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::contents::{Content, contents};
use pds_core::mst::error::MstError;
use pds_core::mst::key::Key;
use pds_core::mst::walk::{Step, Walk};

/// Checks the repository of a commit: commit, signature, tree, paths and records.
///
/// ```
/// use pds::Repo;
/// use pds::Expected;
/// use pds::verify::indexed::verify;
///
/// let dir = tempfile::tempdir()?;
/// let repo = Repo::create(dir.path().join("alice"), &"did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?)?;
/// let head = repo.head()?.expect("there is a first commit");
/// let key = repo.public_key()?;
/// let expected = Expected::default().key(key.as_ref());
/// let report = verify(repo.store().clone().as_ref(), head, &expected, &mut |f| println!("{f}"))?;
/// assert!(report.is_ok() && report.is_complete());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Read`] if the source cannot be read. Errors in its blocks are findings.
pub fn verify(
    blocks: &dyn Blocks,
    commit: Cid,
    expected: &Expected<'_>,
    found: &mut dyn FnMut(Finding),
) -> Result<Report> {
    let mut check = Check::new(expected);
    if let Some(commit) = check.read_commit(blocks, commit)? {
        let size = |content: &Result<Content, MstError>| content.as_ref().map_or(0, Content::bytes);
        ahead(expected.jobs, contents(blocks, commit.data()), size, |contents| {
            for content in contents {
                check.content(content)?;
                check.drain().for_each(&mut *found);
            }
            Ok::<(), Error>(())
        })?;
        check.report.commit = Some(commit);
    }
    check.drain().for_each(found);
    Ok(check.report)
}

/// The check of one entry of a tree.
pub(crate) type OnEntry<'f> = dyn FnMut(&mut Check<'_>, Key, Cid) -> Result<()> + 'f;

/// Checks a tree. `entry` decides for each record whether it is read.
pub(crate) fn follow(
    walk: Walk<'_>,
    check: &mut Check<'_>,
    found: &mut dyn FnMut(Finding),
    entry: &mut OnEntry<'_>,
) -> Result<()> {
    for step in walk {
        match step {
            Ok(Step::Entry { key, value }) => entry(check, key, value)?,
            Ok(Step::Node { block, .. }) => drop(check.content(Ok(Content::Node(block)))?),
            Err(error) => drop(check.content(Err(error))?),
        }
        check.drain().for_each(&mut *found);
    }
    Ok(())
}
