//! A CAR file that blocks can be asked of.

mod salvage;

use std::io::{Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

use super::{CarError, CarReader};
use crate::data::{Block, Blocks, Cid, ReadError};

/// A CAR file with an index: any block can be read, the file stays where it is.
///
/// Opening reads the file once and hashes every block. The index takes 16 bytes a block: the first
/// eight of the digest, then where the block is and how long. Blocks are hashed again when they
/// are read, since the file may have changed in between.
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
    file: Mutex<F>,
    roots: Vec<Cid>,
    /// Sorted by digest; blocks that stand in the file twice are here once.
    index: Vec<Place>,
    sections: u64,
    duplicates: u64,
    bytes: u64,
}

/// The first eight bytes of a digest and, packed into one number, offset and length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    digest_start: u64,
    packed: u64,
}

impl<F: Read + Seek> CarFile<F> {
    /// Opens a file whose every block is as it should be.
    ///
    /// # Errors
    ///
    /// [`CarError`] for the first thing that is wrong.
    pub fn open(file: F) -> Result<Self, CarError> {
        let mut first = None;
        let opened = Self::open_reporting(file, &mut |error| {
            first.get_or_insert(error);
        })?;
        first.map_or(Ok(opened), Err)
    }

    /// Opens a file as far as it can be read, reporting what is wrong on the way.
    ///
    /// Damaged and foreign blocks are left out; where the file is cut, what stands before the cut
    /// is there.
    ///
    /// # Errors
    ///
    /// [`CarError`] when the header cannot be read.
    pub fn open_reporting(mut file: F, report: &mut dyn FnMut(CarError)) -> Result<Self, CarError> {
        file.seek(SeekFrom::Start(0))?;
        let mut reader = CarReader::new(&mut file)?;
        let mut found = Found::default();
        loop {
            let section = reader.next_section().map(|section| {
                section.map(|it| (it.offset, it.cid_offset, it.block.cid(), it.block.bytes().len()))
            });
            match section {
                Ok(Some(section)) => found.add(section)?,
                Ok(None) => break,
                Err(error) => {
                    let goes_on = error.is_one_block();
                    found.sections += u64::from(goes_on);
                    report(error);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        let (roots, bytes) = (reader.roots().to_vec(), reader.offset());
        Self::with(file, roots, bytes, found)
    }

    /// Opens a file without hashing anything yet: each block is hashed when it is read, and one that is never
    /// read is not.
    ///
    /// # Errors
    ///
    /// [`CarError`] for the first thing that is wrong with the framing.
    pub fn open_unchecked(mut file: F) -> Result<Self, CarError> {
        file.seek(SeekFrom::Start(0))?;
        let mut reader = CarReader::new(&mut file)?;
        let mut found = Found::default();
        while let Some(section) = reader.next_claim()? {
            found.add((section.offset, section.cid_offset, section.cid, section.data.len()))?;
        }
        let (roots, bytes) = (reader.roots().to_vec(), reader.offset());
        Self::with(file, roots, bytes, found)
    }

    fn with(file: F, roots: Vec<Cid>, bytes: u64, mut found: Found) -> Result<Self, CarError> {
        found.index.sort_unstable();
        let Found { index, sections } = found;
        let mut opened =
            Self { file: Mutex::new(file), roots, index, sections, duplicates: 0, bytes };
        opened.drop_duplicates()?;
        Ok(opened)
    }

    /// Returns the roots; the first one is the commit.
    #[must_use]
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// Returns how many sections the file has, duplicates included.
    #[must_use]
    pub fn sections(&self) -> u64 {
        self.sections
    }

    /// Returns how many sections repeat a block that stands before them.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Returns how many different blocks can be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Returns how many bytes of the file were read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns a block with its number among the blocks of this file, which are counted from zero
    /// to [`len`](Self::len) in no particular order.
    ///
    /// # Errors
    ///
    /// As [`Blocks::get`].
    pub fn numbered(&self, cid: &Cid) -> Result<Option<(usize, Block)>, ReadError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, place) in self.places(cid) {
            let section = place.read(&mut *file).map_err(|e| ReadError::backend(*cid, e))?;
            let (found, data) = section.split_at(Cid::LEN);
            if found == cid.as_bytes() {
                let block = Block::verified(*cid, data)
                    .map_err(|source| ReadError::Damaged { cid: *cid, source })?;
                return Ok(Some((number, block)));
            }
        }
        Ok(None)
    }

    /// Iterates over where a block may be, with its number; there is more than one such place only where
    /// digests start alike.
    fn places(&self, cid: &Cid) -> impl Iterator<Item = (usize, Place)> + '_ {
        let start = digest_start(cid);
        let first = first_at_or_after(&self.index, start);
        let places = self.index.iter().copied().enumerate().skip(first);
        places.take_while(move |(_, place)| place.digest_start == start)
    }

    /// As [`Blocks::get_some`], with the numbers of the blocks.
    pub(crate) fn numbered_some(&self, cids: &[Cid]) -> Vec<NumberedAnswer> {
        let (mut bytes, mut numbers) = (0, Vec::new());
        let wanted: Vec<(Cid, Option<Place>)> = cids
            .iter()
            .map(|cid| (*cid, self.places(cid).next()))
            .take_while(|(_, place)| {
                let fits = bytes < MAX_WINDOW_BYTES;
                bytes += place.map_or(0, |(_, place)| place.section_len());
                fits
            })
            .map(|(cid, place)| {
                numbers.push(place.map_or(0, |(number, _)| number));
                (cid, place.map(|(_, place)| place))
            })
            .collect();
        let answers = {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            super::window::read(&mut *file, &wanted)
        };
        let answers = answers.into_iter().zip(numbers).zip(&wanted);
        answers
            .map(|((answer, number), (cid, _))| match answer {
                Some(answer) => answer.map(|block| block.map(|block| (number, block))),
                None => self.numbered(cid),
            })
            .collect()
    }

    /// Returns the CID of the block with this number.
    ///
    /// # Errors
    ///
    /// [`CarError::Io`], also when the file has changed since it was opened.
    pub fn cid(&self, number: usize) -> Result<Option<Cid>, CarError> {
        let Some(place) = self.index.get(number) else {
            return Ok(None);
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        place.read_cid(&mut *file).map(Some)
    }

    /// Keeps the first of several places of one block.
    fn drop_duplicates(&mut self) -> Result<(), CarError> {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut kept: Vec<Place> = Vec::with_capacity(self.index.len());
        // CIDs whose digests start alike, of the run that is being looked at.
        let mut run: Vec<Cid> = Vec::new();
        for place in &self.index {
            if let Some(last) = kept.last()
                && last.digest_start == place.digest_start
            {
                if run.is_empty() {
                    run.push(last.read_cid(file)?);
                }
                let cid = place.read_cid(file)?;
                if run.contains(&cid) {
                    continue;
                }
                // Nobody finds as many blocks by chance; made-up names are cheap until they are hashed.
                if run.len() == MAX_ALIKE {
                    let reason = "too many blocks whose digests start alike";
                    return Err(CarError::Section { offset: place.offset(), reason });
                }
                run.push(cid);
            } else {
                run.clear();
            }
            kept.push(*place);
        }
        self.duplicates = (self.index.len() - kept.len()) as u64;
        self.index = kept;
        Ok(())
    }
}

impl<F: Read + Seek + Send> Blocks for CarFile<F> {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        Ok(self.numbered(cid)?.map(|(_, block)| block))
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, ReadError> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }

    fn at_once(&self) -> usize {
        WINDOW_BLOCKS
    }

    fn get_some(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        let answers = self.numbered_some(cids).into_iter();
        answers.map(|answer| answer.map(|found| found.map(|(_, block)| block))).collect()
    }
}

/// A block with its number in the file.
type NumberedAnswer = Result<Option<(usize, Block)>, ReadError>;

/// What a pass over a file has found.
#[derive(Default)]
struct Found {
    index: Vec<Place>,
    sections: u64,
}

impl Found {
    fn add(&mut self, section: (u64, u64, Cid, usize)) -> Result<(), CarError> {
        let (offset, cid_offset, cid, data_len) = section;
        self.sections += 1;
        let reason = "beyond the size of file that can be indexed";
        let place = Place::new(cid, cid_offset, data_len);
        self.index.push(place.ok_or(CarError::Section { offset, reason })?);
        Ok(())
    }
}

impl Place {
    fn new(cid: Cid, offset: u64, data_len: usize) -> Option<Self> {
        let fits = offset < 1 << (64 - LEN_BITS) && data_len < 1 << LEN_BITS;
        let packed = (offset << LEN_BITS) | data_len as u64;
        fits.then_some(Self { digest_start: digest_start(&cid), packed })
    }

    /// Where the CID of the block stands; its bytes follow.
    pub(super) fn offset(&self) -> u64 {
        self.packed >> LEN_BITS
    }

    /// How many bytes the CID and the block have.
    pub(super) fn section_len(&self) -> usize {
        Cid::LEN + usize::try_from(self.packed & ((1 << LEN_BITS) - 1)).unwrap_or(0)
    }

    fn read(&self, file: &mut (impl Read + Seek)) -> Result<Vec<u8>, std::io::Error> {
        let mut section = vec![0; self.section_len()];
        file.seek(SeekFrom::Start(self.offset()))?;
        file.read_exact(&mut section)?;
        Ok(section)
    }

    fn read_cid(&self, file: &mut (impl Read + Seek)) -> Result<Cid, CarError> {
        let mut bytes = [0; Cid::LEN];
        file.seek(SeekFrom::Start(self.offset()))?;
        file.read_exact(&mut bytes)?;
        Cid::from_bytes(&bytes).map_err(std::io::Error::other).map_err(CarError::Io)
    }
}

fn digest_start(cid: &Cid) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *cid.digest();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Finds the first place that is not before a digest.
///
/// Digests are spread evenly, so it is near the place that its value says; from there the steps double.
fn first_at_or_after(index: &[Place], start: u64) -> usize {
    let guess = (u128::from(start) * index.len() as u128) >> 64;
    let guess = usize::try_from(guess).unwrap_or(0);
    let is_before = |at: usize| index.get(at).is_some_and(|place| place.digest_start < start);
    let (mut low, mut high, mut step) = (guess, guess, 16);
    if is_before(guess) {
        while is_before(high) {
            (low, high, step) = (high, (high + step).min(index.len()), step * 2);
        }
    } else {
        while low > 0 && !is_before(low) {
            (low, high, step) = (low.saturating_sub(step), low, step * 2);
        }
    }
    let within = index.get(low..high).unwrap_or_default();
    low + within.partition_point(|place| place.digest_start < start)
}

/// How many different blocks may have digests that start with the same eight bytes.
const MAX_ALIKE: usize = 8;

/// How many blocks are read together: enough that they lie close to one another in a file of usual size
/// whatever its order, few enough to be held.
const WINDOW_BLOCKS: usize = 16 * 1024;

/// How many bytes are read together, about.
const MAX_WINDOW_BYTES: usize = 6 * 1024 * 1024;

/// How many bits of a packed place are the length: blocks of up to 8 MiB, files of up to 2 TiB.
const LEN_BITS: u32 = 23;

const _: () = assert!(crate::data::limits::MAX_BLOCK_BYTES < 1 << LEN_BITS);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::car::CarWriter;
    use crate::data::Codec;

    #[test]
    fn blocks_that_stand_twice_are_counted_and_found_once() {
        let [a, b] = [*b"a", *b"b"].map(|bytes| Block::new(Codec::Raw, bytes));
        let mut writer = CarWriter::new(Vec::new(), &[a.cid()]).unwrap();
        for block in [&a, &b, &a, &a] {
            writer.block(block.borrowed()).unwrap();
        }
        let file = CarFile::open(Cursor::new(writer.finish().unwrap())).unwrap();
        assert_eq!((file.sections(), file.duplicates(), file.len()), (4, 2, 2));
        assert_eq!(file.get(&a.cid()).unwrap(), Some(a));
        assert_eq!(file.get(&b.cid()).unwrap(), Some(b));
        assert_eq!(file.get(&Cid::of(Codec::Raw, b"c")).unwrap(), None);
    }

    #[test]
    fn names_that_are_made_up_to_start_alike_are_refused_soon() {
        let mut bytes = CarWriter::new(Vec::new(), &[]).unwrap().finish().unwrap();
        for n in 0..200_000_u32 {
            let mut cid = *Cid::of(Codec::Raw, b"").as_bytes();
            cid[Cid::LEN - 4..].copy_from_slice(&n.to_be_bytes());
            bytes.push(u8::try_from(Cid::LEN).unwrap());
            bytes.extend_from_slice(&cid);
        }
        let started = std::time::Instant::now();
        assert!(matches!(
            CarFile::open_unchecked(Cursor::new(bytes)),
            Err(CarError::Section { .. })
        ));
        assert!(started.elapsed().as_secs() < 30, "in the number of blocks, not in its square");
    }

    #[test]
    fn every_place_is_found_where_it_is() {
        let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let digests: [Vec<u64>; 4] = [
            (0..1_000).map(spread).collect(),
            (0..1_000).collect(),
            (0..1_000).map(|n| u64::MAX - n).collect(),
            (0..1_000).map(|n| spread(n % 7)).collect(),
        ];
        for mut digests in digests {
            digests.sort_unstable();
            let index: Vec<Place> =
                digests.iter().map(|start| Place { digest_start: *start, packed: 0 }).collect();
            let near = digests.iter().flat_map(|d| [d.saturating_sub(1), *d, d.saturating_add(1)]);
            for start in near.chain([0, 1, u64::MAX / 2, u64::MAX]) {
                let expected = digests.partition_point(|digest| *digest < start);
                assert_eq!(first_at_or_after(&index, start), expected, "{start}");
                assert_eq!(first_at_or_after(&index[..0], start), 0);
            }
        }
    }

    #[test]
    fn many_blocks_are_answered_as_each_by_itself() {
        let blocks: Vec<Block> = (0..300_u32)
            .map(|n| Block::new(Codec::Raw, n.to_be_bytes().repeat(n as usize * n as usize / 40)))
            .collect();
        let mut order: Vec<&Block> = blocks.iter().collect();
        order.sort_unstable_by_key(|block| block.cid());
        let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
        for block in order {
            writer.block(block.borrowed()).unwrap();
        }
        let mut bytes = writer.finish().unwrap();
        let damaged = bytes.len() - 1;
        bytes[damaged] ^= 1;
        let file = CarFile::open_unchecked(Cursor::new(bytes)).unwrap();
        let mut cids: Vec<Cid> = blocks.iter().map(Block::cid).collect();
        cids.insert(7, Cid::of(Codec::Raw, b"not here"));
        cids.push(cids[3]);
        let mut errors = 0;
        let mut rest = &cids[..];
        while !rest.is_empty() {
            let answers = file.get_some(rest);
            assert!(!answers.is_empty());
            let (asked, others) = rest.split_at(answers.len());
            for (cid, answer) in asked.iter().zip(answers) {
                match (answer, file.get(cid)) {
                    (Ok(together), Ok(alone)) => assert_eq!(together, alone),
                    (Err(_), Err(_)) => errors += 1,
                    other => panic!("{other:?}"),
                }
            }
            rest = others;
        }
        assert_eq!(errors, 1);
    }

    #[test]
    fn one_digest_under_two_codecs_is_two_blocks() {
        let blocks = [Codec::Raw, Codec::Cbor].map(|codec| Block::new(codec, *b"a"));
        let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
        for block in &blocks {
            writer.block(block.borrowed()).unwrap();
        }
        let file = CarFile::open(Cursor::new(writer.finish().unwrap())).unwrap();
        assert_eq!(file.len(), 2);
        for block in blocks {
            assert_eq!(file.get(&block.cid()).unwrap(), Some(block));
        }
    }
}
