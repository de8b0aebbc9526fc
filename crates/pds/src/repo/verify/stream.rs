//! Checking what is taken in while it is taken in.

use std::io::Read;

use super::check::{Check, Verdict};
use super::{Expected, Finding, Report};
use crate::car::CarReader;
use crate::commit::Commit;
use crate::data::{Block, BlockRef, Blocks, Cid};
use crate::mst::{Content, Contents, Due, Preorder, contents};

/// A repository that is checked as it is read.
///
/// It follows faultless files: commit, nodes and records in the specification's streamable order,
/// each once, and nothing else. Whatever is not so ends it with [`NotInOrder`], and the file is
/// to be looked at through an index, which can tell what is wrong with it.
pub(in crate::repo) struct Streamed<'a, R> {
    reader: CarReader<R>,
    commit: Commit,
    preorder: Preorder,
    check: Check<'a>,
    sections: u64,
    commit_is_due: bool,
}

/// The repository is not one that can be checked in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the repository cannot be checked in one pass")]
pub(in crate::repo) struct NotInOrder;

impl<'a, R: Read> Streamed<'a, R> {
    /// Starts to read: header and commit.
    pub(in crate::repo) fn begin(from: R, expected: &'a Expected<'a>) -> Result<Self, NotInOrder> {
        let mut reader = CarReader::new(from).map_err(|_| NotInOrder)?;
        let [root] = *reader.roots() else { return Err(NotInOrder) };
        let first = reader.next_section().map_err(|_| NotInOrder)?.ok_or(NotInOrder)?;
        if first.block.cid() != root {
            return Err(NotInOrder);
        }
        let commit = Commit::decode(&first.block.to_block()).map_err(|_| NotInOrder)?;
        let mut check = Check::new(expected);
        check.commit(&commit);
        let preorder = Preorder::new(commit.data());
        Ok(Self { reader, commit, preorder, check, sections: 1, commit_is_due: true })
    }

    /// Returns the commit that the file starts with.
    pub(in crate::repo) fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Returns the next block, the commit first, and checks it; `None` when the repository is
    /// complete and the file at its end.
    pub(in crate::repo) fn next_block(&mut self) -> Result<Option<BlockRef<'_>>, NotInOrder> {
        if std::mem::take(&mut self.commit_is_due) {
            return Ok(Some(self.commit.block().borrowed()));
        }
        let due = self.preorder.due();
        let section = self.reader.next_section().map_err(|_| NotInOrder)?;
        let block = match (due, section) {
            (Due::Nothing, None) => return Ok(None),
            (Due::Node(cid), Some(section)) if section.block.cid() == cid => {
                self.preorder.node(section.block.bytes()).map_err(|_| NotInOrder)?;
                self.check.report.nodes += 1;
                section.block
            }
            (Due::Record { key, cid }, Some(section)) if section.block.cid() == cid => {
                self.check.record(key, cid, &Verdict::on(cid, section.block.bytes()));
                self.check.report.records += 1;
                self.preorder.record();
                section.block
            }
            _ => return Err(NotInOrder),
        };
        self.sections += 1;
        Ok(Some(block))
    }

    /// Hands out what has been found since the last time.
    pub(in crate::repo) fn drain(&mut self) -> impl Iterator<Item = Finding> + '_ {
        self.check.drain()
    }

    /// Returns what has been counted; to be called at the end.
    pub(in crate::repo) fn into_report(self) -> Report {
        let blocks = self.sections;
        Report { commit: Some(self.commit), blocks, ..self.check.report }
    }
}

/// A repository that is checked as it is read from a source that any block can be asked of.
///
/// Like [`Streamed`] it follows faultless ones.
pub(in crate::repo) struct Reached<'a> {
    contents: Contents<'a>,
    commit: Commit,
    check: Check<'a>,
    commit_is_due: bool,
}

impl<'a> Reached<'a> {
    /// Reads the commit.
    pub(in crate::repo) fn begin(
        blocks: &'a dyn Blocks,
        root: Cid,
        expected: &'a Expected<'a>,
    ) -> Result<Self, NotInOrder> {
        let block = blocks.get(&root).map_err(|_| NotInOrder)?.ok_or(NotInOrder)?;
        let commit = Commit::decode(&block).map_err(|_| NotInOrder)?;
        let mut check = Check::new(expected);
        check.commit(&commit);
        let contents = contents(blocks, commit.data());
        Ok(Self { contents, commit, check, commit_is_due: true })
    }

    /// Returns the commit.
    pub(in crate::repo) fn commit(&self) -> &Commit {
        &self.commit
    }

    /// As [`Streamed::next_block`], large records once.
    pub(in crate::repo) fn next_block(&mut self) -> Result<Option<Block>, NotInOrder> {
        if std::mem::take(&mut self.commit_is_due) {
            return Ok(Some(self.commit.block().clone()));
        }
        loop {
            match self.contents.next().transpose().map_err(|_| NotInOrder)? {
                None => return Ok(None),
                Some(Content::Node(block)) => {
                    self.check.report.nodes += 1;
                    return Ok(Some(block));
                }
                Some(Content::Record { key, value, found: Ok(Some(block)) }) => {
                    self.check.report.records += 1;
                    let verdict = Verdict::on(value, block.bytes());
                    self.check.record(key.as_bytes(), value, &verdict);
                    return Ok(Some(block));
                }
                // What is wrong with it, if anything is, was said the first time.
                Some(Content::Again { key, .. }) => {
                    self.check.report.records += 1;
                    self.check.path(key.as_bytes());
                }
                Some(Content::Record { .. }) => return Err(NotInOrder),
            }
        }
    }

    /// Hands out what has been found since the last time.
    pub(in crate::repo) fn drain(&mut self) -> impl Iterator<Item = Finding> + '_ {
        self.check.drain()
    }

    /// Returns how many records there were; to be called at the end.
    pub(in crate::repo) fn records(&self) -> u64 {
        self.check.report.records
    }
}
