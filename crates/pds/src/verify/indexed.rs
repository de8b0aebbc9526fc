//! Checking through a source that any block can be asked of.

use std::collections::HashMap;

use crate::error::Result;
use crate::model::finding::{Code, Finding};
use crate::model::report::{Expected, Report};
use crate::pipeline::ahead;
use crate::verify::check::{Check, Verdict};
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;
use pds_core::mst::contents::{Content, LARGE_BYTES, contents};
use pds_core::mst::error::MstError;
use pds_store::error::damage;

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
/// let expected = Expected { key: key.as_ref(), ..Expected::default() };
/// let report = verify(repo.store().clone().as_ref(), head, &expected, &mut |f| println!("{f}"))?;
/// assert!(report.is_ok() && report.is_complete());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Read`](crate::repo::Error::Read) when the source cannot be read at all; whatever is wrong with
/// what it holds is a finding.
pub fn verify(
    blocks: &dyn Blocks,
    commit: Cid,
    expected: &Expected<'_>,
    found: &mut dyn FnMut(Finding),
) -> Result<Report> {
    let mut check = Check::new(expected);
    if let Some(commit) = read_commit(blocks, commit, &mut check)? {
        check.commit(&commit);
        tree(blocks, commit.data(), &mut check, found)?;
        check.report.commit = Some(commit);
    }
    check.drain().for_each(&mut *found);
    Ok(check.report)
}

/// Reads a block; damage is a finding.
pub(crate) fn read(blocks: &dyn Blocks, cid: Cid, check: &mut Check<'_>) -> Result<Option<Block>> {
    or_damage(blocks.get(&cid), check)
}

/// Passes on what was read; damage is a finding.
fn or_damage(
    found: Result<Option<Block>, ReadError>,
    check: &mut Check<'_>,
) -> Result<Option<Block>> {
    match found {
        Ok(block) => Ok(block),
        Err(error) => match damage(&error) {
            Some(message) => {
                check.damaged(error.cid(), message);
                Ok(None)
            }
            None => Err(error.into()),
        },
    }
}

fn read_commit(blocks: &dyn Blocks, cid: Cid, check: &mut Check<'_>) -> Result<Option<Commit>> {
    let Some(block) = or_damage(blocks.get(&cid), check)? else {
        let message = format!("the commit {cid} is missing");
        check.add(Finding::new(Code::CommitMissing, message).cid(cid));
        return Ok(None);
    };
    match Commit::decode(&block) {
        Ok(commit) => Ok(Some(commit)),
        Err(error) => {
            check.no_commit(cid, &error);
            Ok(None)
        }
    }
}

fn tree(
    blocks: &dyn Blocks,
    root: Cid,
    check: &mut Check<'_>,
    found: &mut dyn FnMut(Finding),
) -> Result<()> {
    // Verdicts on large records, which are given once.
    let mut large: HashMap<Cid, Verdict<'static>> = HashMap::new();
    let size = |content: &Result<Content, MstError>| content.as_ref().map_or(0, Content::bytes);
    let jobs = check.jobs();
    ahead(jobs, contents(blocks, root), size, |contents| {
        for content in contents {
            match content {
                Ok(Content::Node(_)) => check.report.nodes += 1,
                Ok(Content::Record { key, value, found }) => match or_damage(found, check)? {
                    Some(block) => {
                        let verdict = Verdict::on(value, block.bytes());
                        check.record(key.as_bytes(), value, &verdict);
                        if block.bytes().len() >= LARGE_BYTES {
                            large.insert(value, verdict.into_owned());
                        }
                    }
                    None => {
                        check.unseen(key.as_bytes());
                        check.missing(Code::RecordMissing, value, Some(key.as_bytes()));
                    }
                },
                Ok(Content::Again { key, value }) => {
                    if let Some(verdict) = large.get(&value) {
                        check.record(key.as_bytes(), value, verdict);
                    }
                }
                Err(MstError::Missing { cid }) => check.missing(Code::NodeMissing, cid, None),
                Err(MstError::Read(error)) => match damage(&error) {
                    Some(message) => {
                        check.damaged(error.cid(), message);
                        check.missing(Code::NodeMissing, error.cid(), None);
                    }
                    None => return Err(error.into()),
                },
                Err(MstError::Undecodable { cid, source }) => {
                    check.report.unreadable += 1;
                    check.add(Finding::new(Code::NodeUndecodable, source.to_string()).cid(cid));
                }
                Err(MstError::Invalid { cid, reason }) => {
                    check.report.unreadable += 1;
                    check.add(Finding::new(Code::NodeInvalid, reason).cid(cid));
                }
                Err(error @ (MstError::Key { .. } | MstError::Full)) => {
                    check.add(Finding::new(Code::NodeInvalid, error.to_string()));
                }
            }
            check.drain().for_each(&mut *found);
        }
        Ok(())
    })
}
