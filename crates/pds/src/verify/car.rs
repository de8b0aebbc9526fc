//! Checking a CAR file.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::model::finding::{Code, Finding, Severity};
use crate::model::report::{Expected, Report};
use crate::verify::any_order::in_any_order;
use crate::verify::indexed::verify;
use crate::verify::stream::{NotInOrder, streamed as stream};
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::{FromStart, ReadAt};
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks, ReadError};
use pds_core::data::cid::Cid;

/// Checks a CAR file: its form, the hash of every block, and the repository of its first root.
///
/// A file in streamable order is read once, in the memory of one path of the tree; any other is indexed, which
/// takes 25 bytes a block: its records are checked as they stand in the file, and then the tree. So is one in which a
/// record that stands at two paths stands once, as exports write it.
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
/// [`Error::Car`] when the file cannot be read from the disk; whatever is wrong with it is a finding.
pub fn verify_car<F: ReadAt>(
    file: F,
    expected: &Expected<'_>,
    found: &mut dyn FnMut(Finding),
) -> Result<Report> {
    let bytes = file.len().map_err(CarError::Io)?;
    let expected = &Expected { jobs: expected.jobs.for_bytes(bytes), ..*expected };
    let faultless = match streamed(FromStart::new(&file), expected) {
        Ok(checked) => Some(checked),
        Err(NotInOrder) => in_any_order(&file, expected)?,
    };
    let Some((report, findings)) = faultless else { return indexed(file, expected, found) };
    findings.into_iter().for_each(found);
    Ok(report)
}

/// Checks in one pass, as long as there is no reason to look at the file more closely.
fn streamed(
    file: FromStart<'_, impl ReadAt>,
    expected: &Expected<'_>,
) -> Result<(Report, Vec<Finding>), NotInOrder> {
    stream(file, expected, |repo| {
        let mut findings = Vec::new();
        while repo.next_block()?.is_some() {
            findings.extend(repo.drain());
            if findings.len() > MAX_KEPT_FINDINGS {
                return Err(NotInOrder);
            }
        }
        findings.extend(repo.drain());
        Ok((repo.report(), findings))
    })
}

/// Checks through an index of the file.
fn indexed<F: ReadAt>(
    file: F,
    expected: &Expected<'_>,
    found: &mut dyn FnMut(Finding),
) -> Result<Report> {
    let (mut errors, mut io) = (0, None);
    let opened = CarFile::open_reporting(file, &mut |error| match error {
        CarError::Io(error) => io = Some(error),
        error => {
            errors += 1;
            found(car_finding(&error));
        }
    });
    let car = match opened {
        Ok(_) if io.is_some() => {
            return Err(Error::Car(CarError::Io(io.expect("just looked at"))));
        }
        Ok(car) => car,
        Err(CarError::Io(error)) => return Err(Error::Car(CarError::Io(error))),
        Err(error) => {
            found(car_finding(&error));
            return Ok(Report { errors: 1, ..Report::default() });
        }
    };
    let Some(root) = car.roots().first().copied() else {
        found(Finding::new(Code::RootMissing, "the header names no root"));
        return Ok(Report { errors: errors + 1, blocks: car.sections(), ..Report::default() });
    };
    let marked = Marked::new(&car);
    let mut report = verify(&marked, root, expected, found)?;
    report.errors += errors;
    report.blocks = car.sections();
    let chain = report.commit.as_ref().map_or(0, |commit| chain_before(&marked, commit));
    notes(&car, marked.reached(), chain, found);
    Ok(report)
}

fn car_finding(error: &CarError) -> Finding {
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
    };
    Finding::new(code, message).maybe_cid(cid).offset(error.offset())
}

/// Counts the commits that come before one and stand in the file, too.
fn chain_before<F: ReadAt>(marked: &Marked<'_, F>, commit: &Commit) -> u64 {
    let (mut before, mut count) = (commit.prev(), 0);
    while let Some(cid) = before {
        // Blocks that are damaged, or no commits, are told of already.
        let Ok(Some((number, block))) = marked.car.numbered(&cid) else { break };
        let Ok(commit) = Commit::decode(&block) else { break };
        marked.mark(number);
        (before, count) = (commit.prev(), count + 1);
    }
    count
}

fn notes<F: ReadAt>(car: &CarFile<F>, reached: u64, chain: u64, found: &mut dyn FnMut(Finding)) {
    let mut note = |code: Code, count: u64, what: &str| {
        if count > 0 {
            let message = format!("{count} {what}");
            found(Finding::new(code, message).with_severity(Severity::Note));
        }
    };
    let different = car.len() as u64;
    note(Code::CarManyRoots, car.roots().len() as u64 - 1, "further roots");
    note(Code::CarDuplicates, car.duplicates(), "blocks that stand in the file before");
    note(Code::CarChain, chain, "commits before it stand in the file, too");
    note(
        Code::CarUnreachable,
        different.saturating_sub(reached),
        "blocks that the commit does not reach",
    );
}

/// A CAR file that notes which of its blocks have been asked for: one bit a block.
pub(crate) struct Marked<'a, F> {
    car: &'a CarFile<F>,
    asked: Mutex<Vec<u64>>,
    count: AtomicU64,
}

impl<'a, F: ReadAt> Marked<'a, F> {
    pub(crate) fn new(car: &'a CarFile<F>) -> Self {
        let asked = Mutex::new(vec![0; car.len().div_ceil(64)]);
        Self { car, asked, count: AtomicU64::new(0) }
    }

    /// Returns how many of the blocks have been asked for.
    pub(crate) fn reached(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Notes that a block has been asked for, and returns what was noted of it when the file was read.
    pub(crate) fn noted(&self, cid: &Cid) -> Option<u8> {
        let (number, note) = self.car.noted(cid)?;
        self.mark(number);
        Some(note)
    }

    fn mark(&self, number: usize) {
        let mut asked = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bit = 1 << (number % 64);
        if let Some(word) = asked.get_mut(number / 64)
            && *word & bit == 0
        {
            *word |= bit;
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<F: ReadAt> Blocks for Marked<'_, F> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        let found = self.car.numbered(cid)?;
        Ok(found.map(|(number, block)| {
            self.mark(number);
            block
        }))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let answers = self.car.numbered_some(cids).into_iter();
        let mark = |(number, block)| {
            self.mark(number);
            block
        };
        answers.map(|answer| answer.map(|found| found.map(mark))).collect()
    }

    fn batch(&self) -> usize {
        self.car.batch()
    }
}

/// How many findings are kept until it is known that one pass is enough.
pub(crate) const MAX_KEPT_FINDINGS: usize = 10_000;
