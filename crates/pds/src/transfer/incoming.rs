//! The blocks of a CAR file that an import stores, checked as they are read.

use crate::cid_set::CidSet;
use crate::error::{Error, Result};
use crate::model::finding::{Code, Finding, Severity, Stage};
use crate::model::report::Expected;
use crate::verify::check::Check;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::mst::base_tree::BaseTree;
use pds_core::mst::contents::{Content, Contents, contents};
use pds_store::error::BoxError;
use pds_store::error::StoreError;

/// The blocks of a state that are to be stored, the commit first.
///
/// The tree is read from the source and the store together, so that a file may be a slice. Each node and record is
/// checked before it is handed out; [`Error::Refused`] ends it. Parts that the base has in the same place were checked
/// when the base was stored. They are skipped, unless the file has their first block.
///
/// A slice may also rely on blocks of other states. These may be deleted before the slice is stored, so they are handed
/// out as well.
pub(crate) struct Incoming<'a> {
    commit: Option<&'a Commit>,
    contents: Contents<'a>,
    /// A check for the end of the tree.
    at_end: Option<AtEnd<'a>>,
    /// The nodes and records that were handed out, if the caller needs them.
    pub(crate) passed: Option<Passed>,
    pub(crate) check: Check<'a>,
    pub(crate) findings: Findings,
}

type AtEnd<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// The nodes and records that were handed out. A hostile tree may name a node as a record.
#[derive(Default)]
pub(crate) struct Passed {
    pub(crate) nodes: CidSet,
    pub(crate) records: CidSet,
}

impl Passed {
    pub(crate) fn add(&mut self, content: &Content) {
        match content {
            Content::Node(block) => self.nodes.insert(&block.cid()),
            Content::Record { value, .. } | Content::Again { value, .. } => {
                self.records.insert(value)
            }
        };
    }
}

impl<'a> Incoming<'a> {
    /// Reads the tree of a commit; `base` is the tree of the present state.
    pub(crate) fn new(
        blocks: &'a dyn Blocks,
        commit: &'a Commit,
        base: Option<BaseTree<'a>>,
        expected: &'a Expected<'a>,
    ) -> Self {
        let contents = contents(blocks, commit.data()).over(base);
        let check = Check::of(commit, expected).for_import();
        let (commit, findings) = (Some(commit), Findings::default());
        Self { commit, contents, at_end: None, passed: None, check, findings }
    }

    /// Adds a check for the end of the tree: of blocks that it does not reach.
    pub(crate) fn ending_with(self, check: impl FnOnce() -> Result<()> + Send + 'a) -> Self {
        Self { at_end: Some(Box::new(check)), ..self }
    }

    /// Collects the nodes and records that are handed out.
    pub(crate) fn collecting(self) -> Self {
        Self { passed: Some(Passed::default()), ..self }
    }

    /// Checks everything, and hands out nothing.
    pub(crate) fn check_all(&mut self) -> Result<()> {
        while self.checked()?.is_some() {}
        Ok(())
    }

    fn checked(&mut self) -> Result<Option<Block>> {
        if let Some(commit) = self.commit.take() {
            self.findings.take(self.check.drain())?;
            return Ok(Some(commit.block().clone()));
        }
        for content in self.contents.by_ref() {
            if let (Some(passed), Ok(content)) = (&mut self.passed, &content) {
                passed.add(content);
            }
            let block = self.check.content(content)?;
            self.findings.take(self.check.drain())?;
            if block.is_some() {
                return Ok(block);
            }
        }
        self.at_end.take().map_or(Ok(()), |check| check())?;
        Ok(None)
    }
}

impl Iterator for Incoming<'_> {
    type Item = Result<Block, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.checked().map_err(BoxError::from).transpose()
    }
}

/// Reads the commit of a file.
pub(crate) fn root_commit(blocks: &dyn Blocks, root: Cid) -> Result<Commit> {
    let Some(block) = blocks.get(&root)? else {
        let message = format!("the commit {root} is missing");
        let finding = Finding::new(Code::CommitMissing, message).cid(root);
        return Err(Error::Refused(Box::new(finding)));
    };
    Ok(Commit::decode(&block)?)
}

/// Returns the error that ended an [`Incoming`], of the error of the store that it was given to.
pub(crate) fn unboxed(error: Error) -> Error {
    match error {
        Error::Store(StoreError::Blocks(error)) => match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => StoreError::Blocks(error).into(),
        },
        error => error,
    }
}

/// The findings of an import: the first one that refuses the file, and those that do not.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) fatal: Option<Finding>,
    pub(crate) kept: Vec<Finding>,
}

impl Findings {
    /// Takes findings, and fails at the first one that is a reason to refuse.
    pub(crate) fn take(&mut self, found: impl Iterator<Item = Finding>) -> Result<()> {
        found.for_each(|finding| self.add(finding));
        self.fatal.take().map_or(Ok(()), |finding| Err(Error::Refused(Box::new(finding))))
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        if finding.severity() == Severity::Error && finding.stage() != Stage::Record {
            self.fatal.get_or_insert(finding);
        } else if self.kept.len() < MAX_KEPT_FINDINGS {
            self.kept.push(finding);
        }
    }
}

/// The most findings in the answer of an import. `verify` reports all of them.
const MAX_KEPT_FINDINGS: usize = 1_000;
