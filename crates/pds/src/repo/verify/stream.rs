//! Checking a CAR file in streamable order, in one pass and in the memory of one path of the tree.

use std::io::Read;

use super::check::{Check, Verdict};
use super::{Expected, Finding, Report};
use crate::car::CarReader;
use crate::commit::Commit;
use crate::data::BlockRef;
use crate::mst::{Due, Preorder};

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

/// The file is not one that can be checked in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file is not in streamable order")]
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
        let due = self.preorder.due().map_err(|_| NotInOrder)?;
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
