//! Checking a CAR file in any order: each record as it stands in the file, then the tree.

use std::collections::HashMap;

use crate::error::Result;
use crate::model::finding::Finding;
use crate::model::jobs::Jobs;
use crate::model::report::{Expected, Report};
use crate::pipeline::ahead;
use crate::verify::car::{MAX_KEPT_FINDINGS, Marked};
use crate::verify::check::{Check, Verdict};
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::{CarFile, Indexing};
use pds_core::car::read::{CarReader, Section};
use pds_core::car::read_at::{FromStart, ReadAt};
use pds_core::commit::Commit;
use pds_core::data::block::{Block, BlockRef, Blocks};
use pds_core::data::cid::Cid;
use pds_core::mst::contents::LARGE_BYTES;
use pds_core::mst::walk::{Step, walk};

/// Checks a faultless file; `None` when there is anything else in it, or anything wrong with it, that is to be
/// looked at more closely.
///
/// The file is read from its start to its end, and what its records are is noted in the index: only the nodes
/// are read a second time, and what could not be said in a note.
pub(crate) fn in_any_order<F: ReadAt>(
    file: &F,
    expected: &Expected<'_>,
) -> Result<Option<(Report, Vec<Finding>)>> {
    let mut types = Types::default();
    let car = match index(file, expected.jobs, &mut types) {
        Ok(car) => car,
        Err(CarError::Io(error)) => return Err(CarError::Io(error).into()),
        Err(_) => return Ok(None),
    };
    let [root] = *car.roots() else { return Ok(None) };
    let marked = Marked::new(&car);
    let Ok(Some(block)) = marked.get(&root) else { return Ok(None) };
    let Ok(commit) = Commit::decode(&block) else { return Ok(None) };
    let mut check = Check::new(expected);
    check.commit(&commit);
    let mut findings: Vec<Finding> = check.drain().collect();
    let mut closely = Closely::default();
    for step in walk(&marked, commit.data()) {
        match step {
            Ok(Step::Node { .. }) => check.report.nodes += 1,
            Ok(Step::Entry { key, value }) => {
                let Some(note) = marked.noted(&value) else { return Ok(None) };
                let noted = types.noted(note).map(Verdict::of_type);
                let Some(verdict) = noted.or_else(|| closely.look(&marked, value)) else {
                    return Ok(None);
                };
                check.record(key.as_bytes(), value, &verdict);
            }
            Err(_) => return Ok(None),
        }
        findings.extend(check.drain());
        if findings.len() > MAX_KEPT_FINDINGS {
            return Ok(None);
        }
    }
    let is_all = marked.reached() == car.sections();
    let report = Report { commit: Some(commit), blocks: car.sections(), ..check.report };
    Ok(is_all.then_some((report, findings)))
}

/// Reads a file from its start to its end.
fn index<'f, F: ReadAt>(
    file: &'f F,
    jobs: Jobs,
    types: &mut Types,
) -> std::result::Result<CarFile<&'f F>, CarError> {
    let mut reader = CarReader::new(FromStart::new(file))?;
    let mut indexing = Indexing::default();
    if jobs == Jobs::ONE {
        while let Some(Section { offset, cid_offset, block }) = reader.next_section()? {
            indexing.add(offset, cid_offset, block, types.note(block))?;
        }
    } else {
        let own = |it: Section<'_>| (it.offset, it.cid_offset, it.block.to_block());
        let sections =
            std::iter::from_fn(|| reader.next_section().map(|it| it.map(own)).transpose());
        let size = |it: &std::result::Result<(u64, u64, Block), CarError>| {
            it.as_ref().map_or(0, |(.., block)| block.bytes().len())
        };
        ahead(jobs, sections, size, |sections| {
            for section in sections {
                let (offset, cid_offset, block) = section?;
                let note = types.note(block.borrowed());
                indexing.add(offset, cid_offset, block.borrowed(), note)?;
            }
            Ok::<(), CarError>(())
        })?;
    }
    CarFile::indexed(file, reader.roots().to_vec(), reader.offset(), indexing)
}

/// The types of records that are as they should be, numbered from one.
#[derive(Default)]
struct Types {
    names: Vec<String>,
    numbers: HashMap<String, u8>,
}

impl Types {
    /// Returns the number of the type, or zero: to be looked at closely, should it turn out to be a record.
    fn note(&mut self, block: BlockRef<'_>) -> u8 {
        if block.bytes().starts_with(NODE_START) {
            return LOOK_CLOSELY;
        }
        match Verdict::on(block.cid(), block.bytes()).faultless_type() {
            Some(name) => self.number(name).unwrap_or(LOOK_CLOSELY),
            None => LOOK_CLOSELY,
        }
    }

    fn number(&mut self, name: &str) -> Option<u8> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = u8::try_from(self.names.len() + 1).ok()?;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        Some(number)
    }

    fn noted(&self, note: u8) -> Option<&str> {
        let number = usize::from(note).checked_sub(1)?;
        self.names.get(number).map(String::as_str)
    }
}

/// Records that are read again.
#[derive(Default)]
struct Closely {
    /// Verdicts on large ones, which many paths may name.
    large: HashMap<Cid, Verdict<'static>>,
}

impl Closely {
    fn look(&mut self, blocks: &dyn Blocks, cid: Cid) -> Option<Verdict<'static>> {
        if let Some(verdict) = self.large.get(&cid) {
            return Some(verdict.clone());
        }
        let block = blocks.get(&cid).ok()??;
        let verdict = Verdict::on(cid, block.bytes()).into_owned();
        if block.bytes().len() >= LARGE_BYTES {
            self.large.insert(cid, verdict.clone());
        }
        Some(verdict)
    }
}

/// How every node starts, and hardly a record: a map of two, the first of them `e`.
const NODE_START: &[u8] = b"\xa2\x61e";

const LOOK_CLOSELY: u8 = 0;
