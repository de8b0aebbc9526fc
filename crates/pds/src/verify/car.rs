//! The check of CAR files.

use crate::error::Result;
use crate::model::finding::{Code, Finding, Severity};
use crate::model::report::{Expected, Report};
use crate::verify::any_order::{Types, index};
use crate::verify::check::Check;
use crate::verify::indexed::follow;
use crate::verify::stream::{NotInOrder, streamed as stream};
use crate::verify::tracked_file::TrackedFile;
use crate::verify::verdict::Verdict;
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::{FromStart, ReadAt};
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::mst::walk::walk;

/// Checks a CAR file: its form, the hash of every block, and the repository of its first root.
///
/// A file in streamable order is read once, with the memory of one path of the tree. Any other file is indexed with 25
/// bytes per block; its records are checked in the order of the file, and then the tree. Files that have a record of
/// two paths only once, as exports write them, are indexed as well.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::Expected;
/// use pds::verify::car::verify_car;
///
/// # let mut file = Vec::new();
/// # repo.transfer().export(&"HEAD".parse()?, &mut file)?;
/// let file = std::io::Cursor::new(file);
/// let report = verify_car(file, &Expected::default(), &mut |finding| println!("{finding}"))?;
/// assert!(report.is_ok() && report.is_complete());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Car`](crate::Error::Car) if the operating system cannot read the file. Errors in the file are findings.
pub fn verify_car<F: ReadAt>(
    file: F,
    expected: &Expected<'_>,
    found: &mut dyn FnMut(Finding),
) -> Result<Report> {
    let bytes = file.len().map_err(CarError::Io)?;
    let expected = &Expected { jobs: expected.jobs.for_bytes(bytes), ..*expected };
    let Ok((report, findings)) = streamed(FromStart::new(&file), expected) else {
        return indexed(file, expected, found);
    };
    findings.into_iter().for_each(found);
    Ok(report)
}

/// Reports a file of another kind, as [`verify_car`] reports a file without a valid header. The reason names the kind.
pub fn report_foreign(reason: impl Into<String>, found: &mut dyn FnMut(Finding)) -> Report {
    let mut report = Report::default();
    report.tell(Finding::new(Code::CarHeader, reason), found);
    report
}

/// Checks a file in one pass. Fails if the file needs a closer check.
fn streamed(
    file: FromStart<'_, impl ReadAt>,
    expected: &Expected<'_>,
) -> Result<(Report, Vec<Finding>), NotInOrder> {
    stream(file, expected, |repo| {
        let mut findings = Vec::new();
        while repo.next_block()?.is_some() {
            findings.extend(repo.check.drain());
            if findings.len() > MAX_KEPT_FINDINGS {
                return Err(NotInOrder);
            }
        }
        findings.extend(repo.check.drain());
        Ok((std::mem::take(&mut repo.check.report), findings))
    })
}

/// Checks a file through an index.
///
/// Each record is checked and noted when it is hashed. So the walk of the tree reads nodes only, and reads a record
/// again only if it is faulty.
fn indexed<F: ReadAt>(
    file: F,
    expected: &Expected<'_>,
    found: &mut dyn FnMut(Finding),
) -> Result<Report> {
    let mut check = Check::new(expected);
    let mut types = Types::default();
    let mut report_to = |check: &mut Check<'_>, error: &CarError| {
        check.add(car_finding(error));
        check.drain().for_each(&mut *found);
    };
    let opened = index(file, expected.jobs, &mut |block| types.note(block), &mut |error| {
        report_to(&mut check, &error);
    });
    let car = match opened {
        Ok(car) => car,
        Err(error @ CarError::Io(_)) => return Err(error.into()),
        Err(error) => {
            report_to(&mut check, &error);
            return Ok(check.report);
        }
    };
    check.report.blocks = car.sections();
    let Some(root) = car.roots().first().copied() else {
        check.add(Finding::new(Code::RootMissing, "the header names no root"));
        check.drain().for_each(found);
        return Ok(check.report);
    };
    let marked = TrackedFile::new(&car);
    if let Some(commit) = check.read_commit(&marked, root)? {
        let walk = walk(&marked, commit.data());
        follow(walk, &mut check, found, &mut |check, key, cid| {
            let noted = marked.noted(&cid).and_then(|note| types.noted(note));
            match noted.map(Verdict::of_type) {
                Some(verdict) => check.record(key.as_bytes(), cid, &verdict),
                None => check.read_record(key, cid, &marked)?,
            }
            Ok(())
        })?;
        check.report.commit = Some(commit);
    }
    check.drain().for_each(&mut *found);
    let chain =
        check.report.commit.as_ref().map_or(0, |commit| chain_before(&car, &marked, commit));
    notes(&car, marked.reached(), chain, found);
    if let Some(commit) = &check.report.commit {
        note_other_states(&car, commit, found)?;
    }
    Ok(check.report)
}

/// Reports the other commits of the account that come with the root of their tree.
fn note_other_states<F: ReadAt>(
    car: &CarFile<F>,
    root: &Commit,
    found: &mut dyn FnMut(Finding),
) -> Result<()> {
    let (mut count, mut newest) = (0_u64, None);
    for cid in car.possible_commits() {
        // Damaged blocks, and blocks that are not commits, are already reported.
        let Ok(Some(block)) = car.get(&cid?) else { continue };
        let Ok(commit) = Commit::decode(&block) else { continue };
        let is_other = commit.cid() != root.cid() && commit.did() == root.did();
        if is_other && car.size_of(&commit.data()).is_some() {
            count += 1;
            newest = newest.max(commit.rev());
        }
    }
    let ending = if count == 1 { "" } else { "s" };
    let newest = newest.map_or_else(String::new, |rev| {
        let place = if Some(rev) > root.rev() { ", newer than the root" } else { "" };
        format!(", up to rev {rev}{place}")
    });
    if count > 0 {
        let message = format!("{count} other state{ending}{newest}");
        found(Finding::new(Code::CarStates, message).with_severity(Severity::Note));
    }
    Ok(())
}

fn car_finding(error: &CarError) -> Finding {
    let kind = match error {
        CarError::Damaged { kind, .. } => *kind,
        _ => None,
    };
    let (code, message, cid) = match error {
        CarError::Header { reason } => (Code::CarHeader, reason.clone(), None),
        CarError::Truncated { within, offset: 0 } if *within == "the header" => {
            (Code::CarHeader, "the file ends in the middle of the header".to_owned(), None)
        }
        CarError::Truncated { within, .. } => {
            (Code::CarTruncated, format!("the file ends in the middle of {within}"), None)
        }
        CarError::Section { reason, .. } => (Code::CarSection, (*reason).to_owned(), None),
        CarError::ForeignCid { source, .. } => (Code::CidForeign, source.to_string(), None),
        CarError::Damaged { source, cid, .. } => {
            (Code::BlockDamaged, source.to_string(), Some(*cid))
        }
        CarError::Io(error) => (Code::CarSection, error.to_string(), None),
        other => (Code::CarSection, other.to_string(), None),
    };
    Finding::new(code, message).maybe_cid(cid).offset(error.offset()).block_kind(kind)
}

/// Counts the earlier commits in the file.
fn chain_before<F: ReadAt>(car: &CarFile<F>, marked: &TrackedFile<'_, F>, commit: &Commit) -> u64 {
    let (mut before, mut count) = (commit.prev(), 0);
    while let Some(cid) = before {
        // Damaged blocks, and blocks that are not commits, are already reported.
        let Ok(Some(block)) = car.get(&cid) else { break };
        let Ok(commit) = Commit::decode(&block) else { break };
        marked.noted(&cid);
        (before, count) = (commit.prev(), count + 1);
    }
    count
}

fn notes<F: ReadAt>(car: &CarFile<F>, reached: u64, chain: u64, found: &mut dyn FnMut(Finding)) {
    let mut note = |code: Code, count: u64, what: &str| {
        if count > 0 {
            let ending = if count == 1 { "" } else { "s" };
            let message = format!("{count} {what}{ending}");
            found(Finding::new(code, message).with_severity(Severity::Note));
        }
    };
    let different = car.len() as u64;
    note(Code::CarManyRoots, car.roots().len() as u64 - 1, "further root");
    note(Code::CarDuplicates, car.duplicates(), "duplicate block");
    note(Code::CarChain, chain, "earlier commit");
    note(Code::CarUnreachable, different.saturating_sub(reached), "unreachable block");
}

/// The greatest number of findings that are kept until the end of a pass.
const MAX_KEPT_FINDINGS: usize = 10_000;
