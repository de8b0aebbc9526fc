//! Damaged blocks, kept in a temporary file during a survey.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pds::error::{Error, Result};
use pds_core::data::block::Block;
use pds_core::data::cid::{Cid, Codec};

/// A row of a store whose bytes do not hash to its name.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds_rescue::DamagedBlock;
///
/// let survey = pds_rescue::Rescue::of(&repo).survey(&[])?;
/// let names = survey.damaged().iter().map(DamagedBlock::name_text);
/// assert_eq!(names.count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedBlock {
    /// The name of the row in the store. It may be damaged as well.
    pub name: Vec<u8>,
    /// The hash of the bytes.
    pub sha256: [u8; 32],
    /// The number of bytes.
    pub len: usize,
    offset: u64,
}

impl DamagedBlock {
    /// Returns the CID in the name of the row, or `None` if the name is not a CID.
    #[must_use]
    pub fn claimed(&self) -> Option<Cid> {
        Cid::from_bytes(&self.name).ok()
    }

    /// Returns the name as text: the CID, or hexadecimal if it is not a CID.
    #[must_use]
    pub fn name_text(&self) -> String {
        match self.claimed() {
            Some(cid) => cid.to_string(),
            None => data_encoding::HEXLOWER.encode(&self.name),
        }
    }
}

/// Damaged blocks with their bytes in a temporary file, because a store may have many.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) blocks: Vec<DamagedBlock>,
    by_digest: HashMap<[u8; 32], usize>,
    file: Mutex<Option<File>>,
    end: u64,
}

impl Aside {
    pub(super) fn keep(&mut self, name: &[u8], bytes: &[u8]) -> Result<()> {
        let sha256 = *Cid::of(Codec::Raw, bytes).digest();
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let file = match file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile().map_err(failed)?),
        };
        file.write_all(bytes).map_err(failed)?;
        self.by_digest.entry(sha256).or_insert(self.blocks.len());
        let (name, len, offset) = (name.to_vec(), bytes.len(), self.end);
        self.blocks.push(DamagedBlock { name, sha256, len, offset });
        self.end += len as u64;
        Ok(())
    }

    pub(super) fn bytes(&self, block: &DamagedBlock) -> Result<Vec<u8>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = vec![0; block.len];
        if let Some(file) = &mut *file {
            file.seek(SeekFrom::Start(block.offset)).map_err(failed)?;
            file.read_exact(&mut bytes).map_err(failed)?;
        }
        Ok(bytes)
    }

    /// Returns a block that is stored under a wrong name.
    pub(super) fn find(&self, cid: &Cid) -> Result<Option<Block>> {
        let Some(block) = self.by_digest.get(cid.digest()).and_then(|at| self.blocks.get(*at))
        else {
            return Ok(None);
        };
        Ok(Block::verified(*cid, self.bytes(block)?).ok())
    }
}

fn failed(source: io::Error) -> Error {
    Error::Io { path: PathBuf::from("a temporary file"), source }
}
