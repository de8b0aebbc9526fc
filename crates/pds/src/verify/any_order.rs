//! Reading a CAR file in any order: an index of its blocks, with a note on each record.

use std::collections::HashMap;

use crate::model::jobs::Jobs;
use crate::run_ahead::ahead;
use crate::verify::verdict::Verdict;
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::{CarFile, Indexing, MAY_BE_COMMIT, note_on};
use pds_core::car::read::{CarReader, Section};
use pds_core::car::read_at::{FromStart, ReadAt};
use pds_core::data::block::{Block, BlockRef};

/// Reads a file from start to end, hashes each block, and notes what it holds.
///
/// Errors in the file are reported. Damaged blocks and blocks with an unsupported CID are left out of the index.
///
/// # Errors
///
/// [`CarError`] if the operating system cannot read the file, if its header is invalid, or if it cannot be indexed.
pub(crate) fn index<F: ReadAt>(
    file: F,
    jobs: Jobs,
    note: &mut (dyn FnMut(BlockRef<'_>) -> u8 + '_),
    report: &mut dyn FnMut(CarError),
) -> Result<CarFile<F>, CarError> {
    let mut reader = CarReader::new(FromStart::new(&file))?;
    let mut indexing = Indexing::default();
    let mut take = |section: Result<Section<'_>, CarError>| match section {
        Ok(it) => indexing.add(it.offset, it.cid_offset, it.block, note(it.block)),
        Err(error @ CarError::Io(_)) => Err(error),
        Err(error) => {
            indexing.pass_over(&error);
            report(error);
            Ok(())
        }
    };
    if jobs == Jobs::ONE {
        while let Some(section) = reader.next_section().transpose() {
            take(section)?;
        }
    } else {
        let own = |it: Section<'_>| (it.offset, it.cid_offset, it.block.to_block());
        let sections =
            std::iter::from_fn(|| reader.next_section().map(|it| it.map(own)).transpose());
        let size = |it: &Result<(u64, u64, Block), CarError>| {
            it.as_ref().map_or(0, |(.., block)| block.bytes().len())
        };
        ahead(jobs, sections, size, |sections| {
            for section in sections {
                match section {
                    Ok((offset, cid_offset, block)) => {
                        take(Ok(Section { offset, cid_offset, block: block.borrowed() }))?;
                    }
                    Err(error) => take(Err(error))?,
                }
            }
            Ok::<(), CarError>(())
        })?;
    }
    let (roots, bytes) = (reader.roots().to_vec(), reader.offset());
    CarFile::indexed(file, roots, bytes, indexing)
}

/// The types of valid records, numbered from one.
#[derive(Default)]
pub(crate) struct Types {
    names: Vec<String>,
    numbers: HashMap<String, u8>,
}

impl Types {
    /// Returns the number of the type of a record. Zero means a node, or a record that is checked later.
    pub(crate) fn note(&mut self, block: BlockRef<'_>) -> u8 {
        if block.bytes().starts_with(NODE_START) {
            return LOOK_CLOSELY;
        }
        if note_on(block.bytes()) == MAY_BE_COMMIT {
            return MAY_BE_COMMIT;
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
        let number = u8::try_from(self.names.len() + 1).ok().filter(|n| *n != MAY_BE_COMMIT)?;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        Some(number)
    }

    pub(crate) fn noted(&self, note: u8) -> Option<&str> {
        let number = usize::from(note).checked_sub(1)?;
        self.names.get(number).map(String::as_str)
    }
}

/// The first bytes of every node, and of few records: a map of two fields, the first named `e`.
const NODE_START: &[u8] = b"\xa2\x61e";

const LOOK_CLOSELY: u8 = 0;
