//! The recovery of records from a damaged CAR file.

use std::collections::HashSet;

use crate::orphans::{Each, Orphans};
use crate::survey::may_be_a_commit;
use crate::survivors::{Survivor, Survivors};
use crate::trace::{Part, Step, Trace};
use pds::error::Result;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::{Cid, Codec};
use pds_core::mst::key::Key;
use pds_core::mst::node::Position;
use pds_core::mst::walk::nodes;

/// A recovered record, or a lost part.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// # repo.put(&"com.example.note/a".parse()?, &note)?;
/// # let mut file = Vec::new();
/// # repo.transfer().export(&"HEAD".parse()?, &mut file)?;
/// use pds::car::CarFile;
/// use pds_rescue::{Recovered, recover};
///
/// file.truncate(file.len() - 1);
/// let car = CarFile::salvage(std::io::Cursor::new(file), &mut |error| println!("{error}"))?;
/// let mut lost = Vec::new();
/// recover(&car, &car, &mut |recovered| {
///     if let Recovered::Lost { part, .. } = recovered {
///         lost.push(part.to_string());
///     }
///     Ok(())
/// })?;
/// assert_eq!(lost, ["com.example.note/a"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub enum Recovered {
    /// A record of the repository.
    Record {
        /// The path of the record.
        key: Key,
        /// The record.
        block: Block,
    },
    /// A record in a subtree that may belong to another state, because the file may contain several states.
    Unplaced {
        /// The path of the record in its subtree.
        key: Key,
        /// The record.
        block: Block,
    },
    /// A block that is neither a commit nor a tree node, and that no remaining block names.
    WithoutPath {
        /// The block, which is probably a record.
        block: Block,
    },
    /// A lost part of the repository.
    Lost {
        /// The lost part.
        part: Part,
        /// The CID of the lost block, or `None` if it is unknown.
        cid: Option<Cid>,
    },
}

/// The counts of [`recover`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// The commit of the repository, or `None` if it is lost.
    pub commit: Option<Commit>,
    /// The number of recovered records of the repository.
    pub records: u64,
    /// The number of records in subtrees that may belong to another state.
    pub unplaced: u64,
    /// The number of blocks that no other block names.
    pub without_path: u64,
    /// The number of lost parts: the commit, single records, and ranges of records.
    pub lost: u64,
}

/// Calls `found` with the remaining records of the repository in a CAR file, in key order, and with the lost parts.
///
/// Blocks are read from `blocks`: the file, or [`Sources`](super::Sources) of the file and other places. The commit
/// is the root of the file. If it is lost, the commit with the greatest rev in the file takes its place. Memory use
/// grows with the number of blocks, not with their size.
///
/// # Errors
///
/// The error that `found` returns, and [`Error`](pds::Error) if a source cannot be read.
pub fn recover<F: ReadAt>(
    car: &CarFile<F>,
    blocks: &dyn Blocks,
    found: &mut dyn FnMut(Recovered) -> Result<()>,
) -> Result<Recovery> {
    let each = |visit: &mut dyn FnMut(&Block)| each_block(car, visit);
    let mut recovery = Recovery::default();
    let root = car.roots().first().copied();
    let commit = root.map(|root| blocks.get(&root)).transpose()?.flatten();
    recovery.commit = match commit.and_then(|block| Commit::decode(&block).ok()) {
        Some(commit) => Some(commit),
        None => {
            let newest = newest_commit(&each)?;
            if root.is_some() || newest.is_none() {
                recovery.lost += 1;
                found(Recovered::Lost { part: Part::Commit, cid: root })?;
            }
            newest
        }
    };
    let data = recovery.commit.as_ref().map(Commit::data);
    let is_whole = data.is_some_and(|data| nodes(blocks, data).all(|node| node.is_ok()));
    let orphans = match is_whole {
        true => Orphans::default(),
        false => Orphans::of(blocks, &each)?,
    };
    // Without a commit, a single orphan is the root. Several orphans are subtrees.
    let top = data.or(match orphans.nodes.as_slice() {
        [only] => Some(only.cid),
        _ => None,
    });
    let nowhere = Cid::from_digest(Codec::Cbor, [0; 32]);
    let mut sink = |survivor| match survivor {
        Survivor::Record { key, cid } => {
            recovery.records += 1;
            let block = blocks.get(&cid)?;
            block.map_or(Ok(()), |block| found(Recovered::Record { key, block }))
        }
        Survivor::Lost { part, cid } => {
            recovery.lost += 1;
            found(Recovered::Lost { part, cid: Some(cid).filter(|cid| *cid != nowhere) })
        }
    };
    let survivors = Survivors::new(blocks, &orphans, Vec::new(), &mut sink);
    let mut placed = survivors.follow(top.unwrap_or(nowhere))?;
    placed.extend(top);
    rest(blocks, &orphans, &placed, &mut recovery, found)?;
    Ok(recovery)
}

/// Calls `found` with the remaining records that have no place in the repository.
fn rest(
    blocks: &dyn Blocks,
    orphans: &Orphans,
    placed: &HashSet<Cid>,
    recovery: &mut Recovery,
    found: &mut dyn FnMut(Recovered) -> Result<()>,
) -> Result<()> {
    let mut trace = Trace::new(blocks);
    for orphan in orphans.nodes.iter().filter(|orphan| !placed.contains(&orphan.cid)) {
        let root = (orphan.cid, Position::Child { level: orphan.level });
        trace.follow(root, (None, None), &mut |step| {
            let Step::Record { key, cid } = step else { return Ok(()) };
            let Some(block) = blocks.get(&cid)? else { return Ok(()) };
            recovery.unplaced += 1;
            found(Recovered::Unplaced { key, block })
        })?;
    }
    for cid in &orphans.records {
        if let Some(block) = blocks.get(cid)? {
            recovery.without_path += 1;
            found(Recovered::WithoutPath { block })?;
        }
    }
    Ok(())
}

fn newest_commit(each: &Each<'_>) -> Result<Option<Commit>> {
    let mut newest: Option<Commit> = None;
    each(&mut |block| {
        if may_be_a_commit(block)
            && let Ok(commit) = Commit::decode(block)
            && newest.as_ref().is_none_or(|newest| newest.rev() < commit.rev())
        {
            newest = Some(commit);
        }
    })?;
    Ok(newest)
}

/// Calls `visit` with every readable block of a file.
fn each_block<F: ReadAt>(car: &CarFile<F>, visit: &mut dyn FnMut(&Block)) -> Result<()> {
    for number in 0..car.len() {
        if let Some(cid) = car.cid(number)?
            && let Ok(Some(block)) = car.get(&cid)
        {
            visit(&block);
        }
    }
    Ok(())
}
