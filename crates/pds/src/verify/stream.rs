//! The check of a repository during its import, in one pass.

use std::io::Read;

use crate::model::jobs::Jobs;
use crate::model::report::Expected;
use crate::run_ahead::ahead;
use crate::verify::check::Check;
use pds_core::car::error::CarError;
use pds_core::car::read::CarReader;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, BlockRef};
use pds_core::data::cid::Cid;
use pds_core::mst::preorder::{Due, Preorder};

/// A repository that is checked during a sequential read.
///
/// It accepts valid files in the streamable order of the specification: commit, nodes and records, each once, and
/// nothing else. Any other file ends the check with [`NotInOrder`]. A check through an index then finds the error.
pub(crate) struct Streamed<'a, R> {
    reader: R,
    commit: Commit,
    preorder: Preorder,
    pub(crate) check: Check<'a>,
    commit_is_due: bool,
}

/// The error for a repository that cannot be checked in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the repository cannot be checked in one pass")]
pub(crate) struct NotInOrder;

/// The source of the blocks: a reader that lends them, or one that runs ahead in another thread.
pub(crate) trait Sections {
    /// Returns the next block, or `None` at the end of the file.
    fn next_block(&mut self) -> Result<Option<BlockRef<'_>>, NotInOrder>;
}

impl<R: Read> Sections for CarReader<R> {
    fn next_block(&mut self) -> Result<Option<BlockRef<'_>>, NotInOrder> {
        let section = self.next_section().map_err(|_| NotInOrder)?;
        Ok(section.map(|section| section.block))
    }
}

/// The sections of a file that another thread reads.
struct ReadSections<'a> {
    blocks: &'a mut dyn Iterator<Item = Result<Block, CarError>>,
    lent: Option<Block>,
}

impl Sections for ReadSections<'_> {
    fn next_block(&mut self) -> Result<Option<BlockRef<'_>>, NotInOrder> {
        self.lent = self.blocks.next().transpose().map_err(|_| NotInOrder)?;
        Ok(self.lent.as_ref().map(Block::borrowed))
    }
}

impl<S: Sections + ?Sized> Sections for &mut S {
    fn next_block(&mut self) -> Result<Option<BlockRef<'_>>, NotInOrder> {
        S::next_block(self)
    }
}

/// Opens a file for a sequential check, with the expected number of threads, and calls `work` with it.
pub(crate) fn streamed<T>(
    file: impl Read + Send,
    expected: &Expected<'_>,
    work: impl FnOnce(&mut Streamed<'_, &mut dyn Sections>) -> Result<T, NotInOrder>,
) -> Result<T, NotInOrder> {
    let mut reader = CarReader::new(file).map_err(|_| NotInOrder)?;
    let [root] = *reader.roots() else { return Err(NotInOrder) };
    if expected.jobs == Jobs::ONE {
        let reader: &mut dyn Sections = &mut reader;
        return work(&mut Streamed::begin(reader, root, expected)?);
    }
    let size = |block: &Result<Block, CarError>| block.as_ref().map_or(0, |b| b.bytes().len());
    ahead(expected.jobs, reader, size, |blocks| {
        let mut arriving = ReadSections { blocks, lent: None };
        let arriving: &mut dyn Sections = &mut arriving;
        work(&mut Streamed::begin(arriving, root, expected)?)
    })
}

impl<'a, R: Read> Streamed<'a, CarReader<R>> {
    /// Reads the header and the commit of a file.
    pub(crate) fn open(file: R, expected: &'a Expected<'a>) -> Result<Self, NotInOrder> {
        let reader = CarReader::new(file).map_err(|_| NotInOrder)?;
        let [root] = *reader.roots() else { return Err(NotInOrder) };
        let begun = Self::begin(reader, root, expected)?;
        Ok(Self { check: begun.check.for_import(), ..begun })
    }
}

impl<'a, S: Sections> Streamed<'a, S> {
    /// Reads the commit.
    fn begin(mut reader: S, root: Cid, expected: &'a Expected<'a>) -> Result<Self, NotInOrder> {
        let first = reader.next_block()?.ok_or(NotInOrder)?;
        if first.cid() != root {
            return Err(NotInOrder);
        }
        let commit = Commit::decode(&first.to_block()).map_err(|_| NotInOrder)?;
        let (check, preorder) = (Check::of(&commit, expected), Preorder::new(commit.data()));
        Ok(Self { reader, commit, preorder, check, commit_is_due: true })
    }

    /// Returns the commit.
    pub(crate) fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Checks and returns the next block, beginning with the commit. Returns `None` at the end of a complete file.
    pub(crate) fn next_block(&mut self) -> Result<Option<BlockRef<'_>>, NotInOrder> {
        if std::mem::take(&mut self.commit_is_due) {
            self.check.report.commit = Some(self.commit.clone());
            self.check.report.blocks = 1;
            return Ok(Some(self.commit.block().borrowed()));
        }
        let due = self.preorder.due();
        let block = match (due, self.reader.next_block()?) {
            (Due::Nothing, None) => return Ok(None),
            (Due::Node(cid), Some(block)) if block.cid() == cid => {
                self.preorder.node(block.bytes()).map_err(|_| NotInOrder)?;
                self.check.report.nodes += 1;
                block
            }
            (Due::Record { key, cid }, Some(block)) if block.cid() == cid => {
                self.check.record_bytes(key, block);
                self.preorder.record();
                block
            }
            _ => return Err(NotInOrder),
        };
        self.check.report.blocks += 1;
        Ok(Some(block))
    }
}
