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
struct Place {
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
        let mut index = Vec::new();
        let mut sections = 0_u64;
        loop {
            match reader.next_section() {
                Ok(Some(section)) => {
                    sections += 1;
                    let place = Place::new(
                        section.block.cid(),
                        section.cid_offset,
                        section.block.bytes().len(),
                    );
                    match place {
                        Some(place) => index.push(place),
                        None => {
                            let offset = section.offset;
                            let reason = "beyond the size of file that can be indexed";
                            return Err(CarError::Section { offset, reason });
                        }
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let goes_on = error.is_one_block();
                    sections += u64::from(goes_on);
                    report(error);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        let (roots, bytes) = (reader.roots().to_vec(), reader.offset());
        index.sort_unstable();
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
        let start = digest_start(cid);
        let first = self.index.partition_point(|place| place.digest_start < start);
        let places = self.index.iter().enumerate().skip(first);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, place) in places.take_while(|(_, place)| place.digest_start == start) {
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
}

impl Place {
    fn new(cid: Cid, offset: u64, data_len: usize) -> Option<Self> {
        let fits = offset < 1 << (64 - LEN_BITS) && data_len < 1 << LEN_BITS;
        let packed = (offset << LEN_BITS) | data_len as u64;
        fits.then_some(Self { digest_start: digest_start(&cid), packed })
    }

    fn read(&self, file: &mut (impl Read + Seek)) -> Result<Vec<u8>, std::io::Error> {
        let data_len = usize::try_from(self.packed & ((1 << LEN_BITS) - 1)).unwrap_or(0);
        let mut section = vec![0; Cid::LEN + data_len];
        file.seek(SeekFrom::Start(self.packed >> LEN_BITS))?;
        file.read_exact(&mut section)?;
        Ok(section)
    }

    fn read_cid(&self, file: &mut (impl Read + Seek)) -> Result<Cid, CarError> {
        let mut bytes = [0; Cid::LEN];
        file.seek(SeekFrom::Start(self.packed >> LEN_BITS))?;
        file.read_exact(&mut bytes)?;
        Cid::from_bytes(&bytes).map_err(std::io::Error::other).map_err(CarError::Io)
    }
}

fn digest_start(cid: &Cid) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *cid.digest();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

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
