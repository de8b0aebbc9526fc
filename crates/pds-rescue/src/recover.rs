//! All that can be read of a CAR file that is damaged.

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

/// Something that was recovered, or is lost.
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
        /// Where it is.
        key: Key,
        /// The record.
        block: Block,
    },
    /// A record in a part of a tree that cannot be told to be of this state: the file may have more
    /// than one.
    Unplaced {
        /// Where it is, in that part.
        key: Key,
        /// The record.
        block: Block,
    },
    /// A block that is no commit and no tree node, and that nothing names which is left.
    WithoutPath {
        /// A record, for all that is known.
        block: Block,
    },
    /// Something that is lost.
    Lost {
        /// What it is.
        part: Part,
        /// The block; `None` where nothing that is left says which.
        cid: Option<Cid>,
    },
}

/// What a [`recover`] has counted.
///
/// ```
/// use pds_rescue::Recovery;
///
/// assert_eq!(Recovery::default().records, 0);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// The commit whose repository it is; `None` where none is left.
    pub commit: Option<Commit>,
    /// How many records of the repository there are.
    pub records: u64,
    /// How many records there are in parts that cannot be told to be of it.
    pub unplaced: u64,
    /// How many blocks nothing names.
    pub without_path: u64,
    /// How much is lost: records, and ranges of records.
    pub lost: u64,
}

/// Finds all that is left of the repository in a CAR file, in key order, and says what is lost.
///
/// `blocks` is where blocks are read from: the file, or with it other places that may have what it
/// lacks, as [`Sources`](super::Sources). The commit is the root of the file, or where that is lost the one in
/// the file with the greatest rev. Memory is in the number of blocks, not in their size.
///
/// # Errors
///
/// What `found` fails with, and [`Error`](crate::repo::Error) when a place cannot be read at all.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let mut file = Vec::new();
/// # repo.transfer().export(&"HEAD".parse()?, &mut file)?;
/// use pds::car::CarFile;
/// use pds_rescue::recover;
///
/// let car = CarFile::salvage(std::io::Cursor::new(file), &mut |error| println!("{error}"))?;
/// let recovery = recover(&car, &car, &mut |_| Ok(()))?;
/// assert_eq!((recovery.commit.map(|commit| commit.cid()), recovery.lost), (repo.head()?, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    // Without a commit: the one node that nothing names is the root, and of several each is a part.
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

/// What is left and has no place in the repository.
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

/// Shows every block of a file that can be read.
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
