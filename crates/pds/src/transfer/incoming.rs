//! The blocks of a CAR file that an import stores, checked as they are read.

use crate::error::{Error, Result};
use crate::model::finding::{Code, Finding, Severity, Stage};
use crate::model::report::Expected;
use crate::verify::check::Check;
use crate::verify::tracked_file::TrackedFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::base_tree::BaseTree;
use pds_core::mst::contents::{Contents, contents};
use pds_store::error::BoxError;
use pds_store::error::StoreError;

/// The blocks of a file that are to be stored, the commit first.
///
/// The tree is read from the file and the store together, so that the file may be a slice. Each node and record is
/// checked before it is handed out; [`Error::Refused`] ends it. Parts that the base has in the same place were checked
/// when the base was stored. They are skipped, unless the file has their first block.
///
/// A slice may also rely on blocks of other states. These may be deleted before the slice is stored, so they are handed
/// out as well.
pub(crate) struct Incoming<'a, F> {
    file: &'a TrackedFile<'a, F>,
    commit: Option<&'a Commit>,
    contents: Contents<'a>,
    /// Whether the tree has been read to its end.
    is_over: bool,
    pub(crate) check: Check<'a>,
    pub(crate) findings: Findings,
}

impl<'a, F: ReadAt> Incoming<'a, F> {
    /// Reads the tree of a commit; `base` is the tree of the present state.
    pub(crate) fn new(
        file: &'a TrackedFile<'a, F>,
        both: &'a Overlay<'a>,
        commit: &'a Commit,
        base: Option<BaseTree<'a>>,
        expected: &'a Expected<'a>,
    ) -> Self {
        let contents = contents(both, commit.data()).over(base);
        let check = Check::of(commit, expected).by_collection();
        let (commit, is_over, findings) = (Some(commit), false, Findings::default());
        Self { file, commit, contents, is_over, check, findings }
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
            let block = self.check.content(content)?;
            self.findings.take(self.check.drain())?;
            if block.is_some() {
                return Ok(block);
            }
        }
        if !std::mem::replace(&mut self.is_over, true) {
            self.file.read_rest()?;
        }
        Ok(None)
    }
}

impl<F: ReadAt> Iterator for Incoming<'_, F> {
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
