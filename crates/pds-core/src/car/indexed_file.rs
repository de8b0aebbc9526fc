//! Random access to the blocks of a CAR file.

use std::collections::HashMap;
use std::fmt;

use crate::car::batch_read;
use crate::car::error::CarError;
use crate::car::index::{Index, Keyed, Place};
use crate::car::read::{CarReader, Claim, Section};
use crate::car::read_at::{FromStart, ReadAt};
use crate::data::block::{Block, BlockRef, Blocks, ReadError};
use crate::data::block_kind::BlockKind;
use crate::data::cid::Cid;
use crate::data::error::DataError;

/// A CAR file with an index, so that any block can be read from the file.
///
/// Opening reads the file once and hashes every block. The index takes 25 bytes a block: the first
/// eight bytes of the digest, seven of a keyed hash of the CID, and the offset and length of the
/// block. Blocks are hashed again when they are read, because the file may have changed since.
///
/// ```no_run
/// use pds::car::CarFile;
/// use pds::data::Blocks;
///
/// let file = CarFile::open(std::fs::File::open("backup.car")?)?;
/// let commit = file.get(&file.roots()[0])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CarFile<F> {
    file: F,
    roots: Vec<Cid>,
    /// The index, with one entry for a block that occurs more than once.
    index: Index,
    sections: u64,
    duplicates: u64,
    bytes: u64,
    damaged: HashMap<Cid, (u64, Option<BlockKind>, DataError)>,
}

impl<F> fmt::Debug for CarFile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CarFile");
        shown.field("roots", &self.roots).field("sections", &self.sections).finish_non_exhaustive()
    }
}

impl<F: ReadAt> CarFile<F> {
    /// Opens a file without any defect.
    ///
    /// # Errors
    ///
    /// [`CarError`] for the first defect.
    pub fn open(file: F) -> Result<Self, CarError> {
        let mut first = None;
        let opened = Self::open_reporting(file, &mut |error| {
            first.get_or_insert(error);
        })?;
        first.map_or(Ok(opened), Err)
    }

    /// Opens the readable part of a file and reports each defect.
    ///
    /// Damaged blocks and blocks with an unsupported CID are left out. If the file is truncated,
    /// the sections before the cut can be read.
    ///
    /// # Errors
    ///
    /// [`CarError`] if the header cannot be read.
    pub fn open_reporting(file: F, report: &mut dyn FnMut(CarError)) -> Result<Self, CarError> {
        let mut reader = CarReader::new(FromStart::new(&file))?;
        let mut found = Indexing::default();
        loop {
            match reader.next_section() {
                Ok(Some(Section { offset, cid_offset, block })) => {
                    found.add(offset, cid_offset, block, note_on(block.bytes()))?;
                }
                Ok(None) => break,
                Err(error) => {
                    found.pass_over(&error);
                    let goes_on = error.is_one_block();
                    report(error);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        let (roots, bytes) = (reader.roots().to_vec(), reader.offset());
        Self::indexed(file, roots, bytes, found)
    }

    /// Opens a file without hashing its blocks. Each block is hashed only when it is read.
    ///
    /// # Errors
    ///
    /// [`CarError`] for the first defect of the framing.
    pub fn open_unchecked(file: F) -> Result<Self, CarError> {
        let mut reader = CarReader::new(FromStart::new(&file))?;
        let mut found = Indexing::default();
        while let Some(Claim { offset, cid_offset, cid, data }) = reader.next_claim()? {
            found.claim(offset, cid_offset, (cid, data.len()), note_on(data))?;
        }
        let (roots, bytes) = (reader.roots().to_vec(), reader.offset());
        Self::indexed(file, roots, bytes, found)
    }

    /// Returns the CAR file of an index that the caller has made: while it reads the file once, it can also judge each
    /// block, and keep the result as a note. `roots` and `bytes` are those of the [`CarReader`] at the end.
    ///
    /// # Errors
    ///
    /// [`CarError::Io`] if the file cannot be read where the index must compare two CIDs.
    pub fn indexed(
        file: F,
        roots: Vec<Cid>,
        bytes: u64,
        found: Indexing,
    ) -> Result<Self, CarError> {
        let (index, duplicates) = Index::new(found.keyed, found.places, &file)?;
        let Indexing { sections, damaged, .. } = found;
        Ok(Self { file, roots, index, sections, duplicates, bytes, damaged })
    }

    /// Returns the damage of a block that was left out when the file was opened. Only the first thousand such blocks are
    /// known.
    #[must_use]
    pub fn damage_of(&self, cid: &Cid) -> Option<CarError> {
        let (offset, kind, source) = self.damaged.get(cid)?;
        let (offset, cid, kind, source) = (*offset, *cid, *kind, source.clone());
        Some(CarError::Damaged { offset, cid, kind, source })
    }

    /// Returns the roots. The first one is the commit.
    #[must_use]
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// Returns the number of sections in the file, with duplicates.
    #[must_use]
    pub fn sections(&self) -> u64 {
        self.sections
    }

    /// Returns the number of sections that repeat an earlier block.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Returns the number of different blocks that can be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns whether no block can be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of bytes that were read from the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the size of a block in bytes without reading it, or `None` if the file does not have
    /// it.
    ///
    /// The answer comes from the index. If the blocks were hashed when the file was opened, it is
    /// as reliable as 56 bits of an unpredictable hash.
    #[must_use]
    pub fn size_of(&self, cid: &Cid) -> Option<usize> {
        self.index.find(cid).map(|(_, place)| place.data_len())
    }

    /// Returns the number of a block, and the note that [`Indexing::add`] was given for it.
    #[must_use]
    pub fn noted(&self, cid: &Cid) -> Option<(usize, u8)> {
        self.index.find(cid).map(|(number, place)| (number, place.note()))
    }

    /// Returns a block with its number among the blocks of this file. The numbers go from zero to
    /// [`len`](Self::len), in no particular order.
    ///
    /// # Errors
    ///
    /// As [`Blocks::get`].
    pub fn numbered(&self, cid: &Cid) -> Result<Option<(usize, Block)>, ReadError> {
        let Some((number, place)) = self.index.find(cid) else { return Ok(None) };
        let mut section = vec![0; place.section_len()];
        let read = self.file.read_exact_at(&mut section, place.offset());
        read.map_err(|error| ReadError::backend(*cid, error))?;
        Ok(batch_read::block(*cid, &section)?.map(|block| (number, block)))
    }

    /// As [`Blocks::get_many`], with the numbers of the blocks: for callers that track which blocks they have read.
    pub fn numbered_some(&self, cids: &[Cid]) -> Vec<NumberedAnswer> {
        let (mut bytes, mut numbers, mut wanted) = (0, Vec::new(), Vec::new());
        for cid in cids {
            if bytes >= MAX_WINDOW_BYTES {
                break;
            }
            let (number, place) = self.index.find(cid).unzip();
            bytes += place.map_or(0, |place| place.section_len());
            numbers.push(number.unwrap_or_default());
            wanted.push((*cid, place));
        }
        let answers = batch_read::read(&self.file, &wanted).into_iter().zip(numbers);
        let numbered = |(answer, number): (Result<Option<Block>, _>, _)| {
            answer.map(|block| block.map(|block| (number, block)))
        };
        answers.map(numbered).collect()
    }

    /// Returns the CID of the block with this number.
    ///
    /// # Errors
    ///
    /// [`CarError::Io`], also if the file has changed since it was opened.
    pub fn cid(&self, number: usize) -> Result<Option<Cid>, CarError> {
        self.index.place(number).map(|place| place.read_cid(&self.file)).transpose()
    }

    /// Returns the CIDs of the blocks that may be commits, because they begin as a commit does. A record may do so, too.
    ///
    /// # Errors
    ///
    /// [`CarError::Io`], also if the file has changed since it was opened.
    pub fn possible_commits(&self) -> impl Iterator<Item = Result<Cid, CarError>> + '_ {
        let places = (0..self.len()).filter_map(|number| self.index.place(number));
        let noted = places.filter(|place| place.note() == MAY_BE_COMMIT);
        noted.map(|place| place.read_cid(&self.file))
    }

    /// Checks the blocks whose numbers are chosen against their CIDs, in file order.
    ///
    /// # Errors
    ///
    /// [`CarError::Damaged`] for the first block that does not match its CID. [`CarError::Io`], also if the file has
    /// changed since it was opened.
    pub fn check(&self, is_chosen: impl Fn(usize) -> bool) -> Result<(), CarError> {
        let places = (0..self.len()).filter(|number| is_chosen(*number));
        let places = places.filter_map(|number| Some((self.index.place(number)?, ())));
        batch_read::check(&self.file, places.collect())
    }
}

impl<F: ReadAt> Blocks for CarFile<F> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        Ok(self.numbered(cid)?.map(|(_, block)| block))
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let answers = self.numbered_some(cids).into_iter();
        answers.map(|answer| answer.map(|found| found.map(|(_, block)| block))).collect()
    }

    fn batch(&self) -> usize {
        WINDOW_BLOCKS
    }
}

/// A block with its number in the file.
pub type NumberedAnswer = Result<Option<(usize, Block)>, ReadError>;

/// The index of a file that is read from its start, section by section, for [`CarFile::indexed`].
///
/// ```
/// use pds_core::car::indexed_file::{CarFile, Indexing, note_on};
/// use pds::car::{CarReader, CarWriter};
/// # use pds::data::{Block, Codec};
/// # let block = Block::new(Codec::Cbor, *b"\xa0");
/// # let mut car = CarWriter::new(Vec::new(), &[block.cid()])?;
/// # car.block(block.borrowed())?;
/// # let bytes = car.finish()?;
/// let (mut reader, mut found) = (CarReader::new(&bytes[..])?, Indexing::default());
/// while let Some(section) = reader.next_section()? {
///     found.add(section.offset, section.cid_offset, section.block, note_on(section.block.bytes()))?;
/// }
/// let (roots, end) = (reader.roots().to_vec(), reader.offset());
/// let file = CarFile::indexed(std::io::Cursor::new(bytes), roots, end, found)?;
/// assert_eq!(file.noted(&block.cid()), Some((0, 0)));
/// # Ok::<(), pds::car::CarError>(())
/// ```
#[derive(Debug, Default)]
pub struct Indexing {
    keyed: Keyed,
    pub(crate) places: Vec<Place>,
    pub(crate) sections: u64,
    damaged: HashMap<Cid, (u64, Option<BlockKind>, DataError)>,
}

impl Indexing {
    /// Adds a block with the offset of its section, the offset of its CID, and a note. [`MAY_BE_COMMIT`] is the note on
    /// possible commits; all others are the caller's.
    ///
    /// # Errors
    ///
    /// [`CarError::Section`] if the block is beyond the largest file that can be indexed.
    pub fn add(
        &mut self,
        offset: u64,
        cid_offset: u64,
        block: BlockRef<'_>,
        note: u8,
    ) -> Result<(), CarError> {
        self.claim(offset, cid_offset, (block.cid(), block.bytes().len()), note)
    }

    /// Counts a section that has no block, if this is why, and keeps the damage of a block.
    pub fn pass_over(&mut self, error: &CarError) {
        if let CarError::Damaged { offset, cid, kind, source } = error
            && self.damaged.len() < MAX_KNOWN_DAMAGE
        {
            self.damaged.insert(*cid, (*offset, *kind, source.clone()));
        }
        self.sections += u64::from(error.is_one_block());
    }

    /// Adds a block by its CID and size.
    pub(crate) fn claim(
        &mut self,
        offset: u64,
        cid_offset: u64,
        (cid, len): (Cid, usize),
        note: u8,
    ) -> Result<(), CarError> {
        self.sections += 1;
        let reason = "beyond the largest file that can be indexed";
        let place = Place::new(&self.keyed, &cid, (cid_offset, len), note);
        self.places.push(place.ok_or(CarError::Section { offset, reason })?);
        Ok(())
    }
}

/// The number of damaged blocks that are known after a file was opened.
const MAX_KNOWN_DAMAGE: usize = 1_000;

/// The note on a block that may be a commit; see [`CarFile::possible_commits`].
pub const MAY_BE_COMMIT: u8 = u8::MAX;

/// Returns the note on a block: a commit is a map whose first field is `did`.
#[must_use]
pub fn note_on(bytes: &[u8]) -> u8 {
    match bytes {
        [0xa0..=0xb7, b'\x63', b'd', b'i', b'd', ..] => MAY_BE_COMMIT,
        _ => 0,
    }
}

/// The number of blocks that are read together. They are close to one another in a file of usual
/// size, whatever its order, and few enough to keep in memory.
const WINDOW_BLOCKS: usize = 16 * 1024;

/// The approximate number of bytes that are read together.
const MAX_WINDOW_BYTES: usize = 6 * 1024 * 1024;

#[cfg(test)]
#[path = "indexed_file_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
