//! The blocks of a CAR file that an import stores, checked as they are read.

use crate::error::{Error, Result};
use crate::model::finding::{Finding, Severity, Stage};
use crate::model::report::Expected;
use crate::verify::check::Check;
use crate::verify::tracked_file::TrackedFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::contents::{Content, Contents, contents};
use pds_core::mst::diff::{Diff, diff};
use pds_store::error::BoxError;
use pds_store::error::StoreError;

/// The blocks of a file that are to be stored, the commit first.
///
/// The tree is read from the file and the store together, so that the file may be a slice. Each node and record is
/// checked before it is handed out; [`Error::Refused`] ends it. Records of the store are checked and not handed out,
/// with one exception: a slice may rely on records that the present state does not have. Only other states have
/// those, and may be deleted before the slice is stored, so they follow at the end.
pub(crate) struct Incoming<'a, F> {
    file: &'a TrackedFile<'a, F>,
    both: &'a Overlay<'a>,
    commit: Option<&'a Commit>,
    contents: Contents<'a>,
    changes: Diff<'a>,
    is_slice: bool,
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
        base: Option<Cid>,
        expected: &'a Expected<'a>,
    ) -> Self {
        let data = commit.data();
        let (contents, changes) = (contents(both, data), diff(both, base, Some(data)));
        let check = Check::of(commit, expected).by_collection();
        let findings = Findings::default();
        let (commit, is_slice, is_over) = (Some(commit), false, false);
        Self { file, both, commit, contents, changes, is_slice, is_over, check, findings }
    }

    fn checked(&mut self) -> Result<Option<Block>> {
        if let Some(commit) = self.commit.take() {
            self.findings.take(self.check.drain())?;
            return Ok(Some(commit.block().clone()));
        }
        for content in self.contents.by_ref() {
            let is_record = matches!(content, Ok(Content::Record { .. }));
            let block = self.check.content(content)?;
            self.findings.take(self.check.drain())?;
            match block {
                Some(block) if is_record && !self.file.has(&block.cid()) => {
                    self.is_slice = true;
                }
                Some(block) => return Ok(Some(block)),
                None => {}
            }
        }
        if !std::mem::replace(&mut self.is_over, true) {
            self.file.read_rest()?;
        }
        if self.is_slice { self.relied_on() } else { Ok(None) }
    }

    fn relied_on(&mut self) -> Result<Option<Block>> {
        for change in &mut self.changes {
            let change = change?;
            if let Some(cid) = change.after
                && !self.file.has(&cid)
            {
                let missing = || Error::RecordMissing { path: change.key.to_string(), cid };
                return self.both.get(&cid)?.ok_or_else(missing).map(Some);
            }
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
