//! The check of one state of a repository, and of its refs.

use crate::error::{Error, Result};
use crate::history::refs::lost_refs;
use crate::keys::handle::Keys;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::report::Expected;
use crate::model::report::Report;
use crate::reading::Moment;
use crate::snapshot::read_commit;
use crate::verify::handle::Verify;
use crate::verify::indexed::verify;
use pds_core::data::cid::Cid;
use pds_store::error::StoreError;
use pds_store::store::{CheckDepth, latest_rows};

/// A check of what was read at one moment; it passes findings on as they come.
type CheckOf<'c, T> = dyn FnMut(T, &mut dyn FnMut(Finding)) -> Result<Report> + 'c;

impl Verify<'_> {
    /// Checks the present state of this repository, and that its refs agree with the log. The default for the
    /// expected account and key are those of the repository.
    ///
    /// # Errors
    ///
    /// As [`verify`]; [`Error::NoCommit`] before the first commit.
    pub fn present(
        &self,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        self.checked(found, &|| self.parts.moment(), &mut |at, found| {
            self.check_moment(&at, CheckDepth::Present, expected, found)
        })
    }

    /// Reads what a check starts with, and runs the check; both again if the state is deleted meanwhile.
    ///
    /// Rows of the store that cannot be read are findings. Findings are passed on once the check is done.
    pub(crate) fn checked<T>(
        &self,
        found: &mut dyn FnMut(Finding),
        read: &dyn Fn() -> Result<T>,
        check: &mut CheckOf<'_, T>,
    ) -> Result<Report> {
        let mut tries = MAX_TRIES;
        loop {
            let mut kept = Vec::new();
            // Further findings are passed on immediately, and the check is not repeated.
            let mut is_final = tries == 0;
            let mut keep = |finding| {
                kept.push(finding);
                if kept.len() > MAX_KEPT_FINDINGS {
                    is_final = true;
                    kept.drain(..).for_each(&mut *found);
                }
            };
            let report = match read() {
                Err(Error::Store(StoreError::Damaged(error))) => {
                    let mut report = Report::default();
                    report.tell(store_damaged(&error), &mut keep);
                    Ok(report)
                }
                read => read.and_then(|read| check(read, &mut keep)),
            };
            match report {
                Err(error) if error.is_lost_race() && !is_final => tries -= 1,
                report => {
                    kept.into_iter().for_each(found);
                    return report;
                }
            }
        }
    }

    /// Checks the state of this ref, the store, and the refs.
    pub(crate) fn check_moment(
        &self,
        at: &Moment,
        depth: CheckDepth,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        let mut report = match at.refs.get(&self.parts.name) {
            Some(head) => self.check_at(at, head, expected, found)?,
            None => self.without_head(found)?,
        };
        let is_sound = self.check_store(depth, &mut report, found)?;
        let is_whole = !is_sound || depth == CheckDepth::Whole;
        self.check_refs(at, is_whole, &mut report, found)?;
        Ok(report)
    }

    /// Reports a missing head. Returns an error if the ref never existed.
    fn without_head(&self, found: &mut dyn FnMut(Finding)) -> Result<Report> {
        let mut report = Report::default();
        let view = self.parts.store.view()?;
        match self.parts.absent(view.as_ref())? {
            Error::RefLost { target: None, .. } => {
                let lost = Error::RefLost { name: self.parts.name.clone(), target: None };
                report.tell(Finding::new(Code::RefMissing, lost.to_string()), found);
            }
            Error::RefLost { .. } => {}
            never_made => return Err(never_made),
        }
        Ok(report)
    }

    /// Checks that every ref points to a commit, that the log agrees, and that no ref is missing. The commit of
    /// the present ref is already checked. A check of the whole reads all of the log.
    pub(crate) fn check_refs(
        &self,
        at: &Moment,
        is_whole: bool,
        report: &mut Report,
        found: &mut dyn FnMut(Finding),
    ) -> Result<()> {
        for (name, cid) in at.refs.iter().filter(|(name, _)| *name != self.parts.name) {
            match read_commit(at.blocks.as_ref(), *cid) {
                Ok(_) => {}
                Err(error) if error.is_swept() => return Err(error),
                Err(error) if error.is_corrupt() || error.is_not_found() => {
                    let message = format!("ref {name} points to no readable commit: {error}");
                    report.tell(Finding::new(Code::RefWithoutCommit, message).cid(*cid), found);
                }
                Err(error) => return Err(error),
            }
        }
        let view = self.parts.store.view()?;
        if view.version() != at.version {
            // The log is newer than the refs, so they are not compared.
            return Ok(());
        }
        for (name, cid) in &at.refs {
            // The check of the history reports unreadable rows.
            let last = if_readable(latest_rows(view.as_ref(), name, 1).map_err(Error::from))?.pop();
            if let Some(last) = last.filter(|last| last.after != Some(*cid)) {
                let target = last.after.map_or_else(|| "nothing".to_owned(), |cid| cid.to_string());
                let message = format!("according to the log, ref {name} points to {target}");
                report.tell(Finding::new(Code::RefUnlogged, message).cid(*cid), found);
            }
        }
        // The store records the number of refs. If it is sound and has this ref, then no ref is missing, unless a
        // repair has counted them again.
        let is_all = !is_whole && at.refs.get(&self.parts.name).is_some();
        let lost = if is_all { Ok(Vec::new()) } else { lost_refs(view.as_ref(), &at.refs) };
        // An unreadable log is already reported.
        for (name, after) in if_readable(lost)? {
            let lost = Error::RefLost { name, target: Some(after) };
            report.tell(Finding::new(Code::RefMissing, lost.to_string()).cid(after), found);
        }
        Ok(())
    }

    /// Checks the state at a commit as [`present`](Self::present) does, with the known key at its rev.
    ///
    /// # Errors
    ///
    /// As [`verify`].
    pub fn at(
        &self,
        commit: Cid,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        self.checked(found, &|| self.parts.moment(), &mut |at, found| {
            let mut report = self.check_at(&at, commit, expected, found)?;
            self.check_store(CheckDepth::Present, &mut report, found)?;
            Ok(report)
        })
    }

    fn check_at(
        &self,
        at: &Moment,
        commit: Cid,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        let did = self.parts.known_did()?;
        // The check of the store reports an unreadable key.
        let present = match self.parts.public_key() {
            Err(error) if error.is_corrupt() => None,
            key => key?,
        };
        let mut key = present.clone();
        // An unreadable commit is reported below. A commit by another key may be older.
        if let (Ok(commit), Some(present)) = (read_commit(at.blocks.as_ref(), commit), present)
            && expected.key.is_none()
            && commit.verify(&present).is_err()
        {
            key = match Keys::new(self.parts).key_history() {
                // The check of the store reports unreadable keys.
                Err(error) if error.is_corrupt() => None,
                keys => keys?.of(&commit).cloned(),
            };
        }
        let expected = Expected {
            did: expected.did.or(did.as_ref()),
            key: expected.key.or(key.as_ref()),
            ..*expected
        };
        verify(at.blocks.as_ref(), commit, &expected, found)
    }

    /// Checks the store itself, and counts its blocks. Returns whether it is sound.
    pub(crate) fn check_store(
        &self,
        depth: CheckDepth,
        report: &mut Report,
        found: &mut dyn FnMut(Finding),
    ) -> Result<bool> {
        let Some(maintain) = self.parts.store.maintain() else { return Ok(true) };
        let problems = maintain.check(depth)?;
        for problem in &problems {
            report.tell(store_damaged(&problem.replace('\n', " ")), found);
        }
        if !problems.is_empty() {
            // Counting the blocks of a damaged file may not end, because its pages may form a cycle.
            return Ok(false);
        }
        match maintain.block_count() {
            Ok(blocks) => report.blocks = blocks,
            Err(StoreError::Damaged(error)) => {
                report.tell(store_damaged(&error), found);
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

pub(super) fn store_damaged(error: &impl std::fmt::Display) -> Finding {
    Finding::new(Code::StoreDamaged, format!("the database is damaged: {error}"))
}

/// The number of repetitions of a check while another process deletes states.
const MAX_TRIES: u32 = 20;

/// The greatest number of findings that are kept until the end of a check.
const MAX_KEPT_FINDINGS: usize = 10_000;

/// Returns nothing instead of rows that are damaged. The check of the store reports them.
fn if_readable<T: Default>(rows: Result<T>) -> Result<T> {
    match rows {
        Err(error) if error.is_corrupt() => Ok(T::default()),
        rows => rows,
    }
}
