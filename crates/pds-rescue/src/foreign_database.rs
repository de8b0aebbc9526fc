//! The blocks of a SQLite file of any program, written as a CAR file.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pds::error::{Error, Result};
use pds::local::layout::STORE_FILE;
use pds_core::car::write::CarWriter;
use pds_core::data::cid::Cid;
use pds_store::error::StoreError;
use pds_store::sqlite::foreign::{ForeignTables, each_block, most_bytes};
use pds_store::sqlite::store::SqliteStore;
use pds_store::unfinished::UnfinishedDir;

/// Writes every block in a SQLite file of any program as a CAR file without a root, for [`recover`](super::recover()).
///
/// Each block is written once. The file is not changed, and nothing is created next to it. If SQLite finds no block,
/// and the file is a damaged store of `pds`, its readable rows are copied to a temporary file first.
///
/// ```
/// use pds::car::CarFile;
/// use pds_rescue::{extract_blocks, recover};
///
/// let dir = tempfile::tempdir()?;
/// let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let mut car = Vec::new();
/// let tables = extract_blocks(dir.path().join("r/pds.db"), &mut car)?;
/// assert_eq!(tables.tables, [("blocks".to_owned(), 2)]);
///
/// let car = CarFile::open(std::io::Cursor::new(car))?;
/// let recovery = recover(&car, &car, &mut |_| Ok(()))?;
/// assert_eq!(recovery.commit.map(|commit| commit.cid()), repo.head()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Store`] if SQLite cannot read the file, another process changes it, or its values share their bytes, and
/// [`Error::Car`] if `out` cannot be written.
pub fn extract_blocks(path: impl AsRef<Path>, out: &mut dyn Write) -> Result<ForeignTables> {
    let path = path.as_ref();
    let mut car =
        Extract { car: CarWriter::new(out, &[])?, known: HashSet::new(), overlaps: false };
    let is_unreadable = |error: &Error| {
        matches!(error, Error::Store(StoreError::Damaged(_) | StoreError::NotAStore(_)))
    };
    let found = match written(path, &mut car) {
        Ok(found) if !found.tables.is_empty() => found,
        Err(error) if car.overlaps || !is_unreadable(&error) => return Err(error),
        found => {
            let (dir, _) = UnfinishedDir::for_copy().map_err(in_temporary_files)?;
            let copy = dir.path().join(STORE_FILE);
            match SqliteStore::salvage(path, &copy) {
                Ok(_) => written(&copy, &mut car)?,
                Err(_) => found?,
            }
        }
    };
    car.car.finish()?;
    Ok(found)
}

/// The blocks that were written.
struct Extract<'a> {
    car: CarWriter<&'a mut dyn Write>,
    known: HashSet<Cid>,
    /// The values of the file are larger than the file.
    overlaps: bool,
}

/// Writes the blocks of a readable database.
///
/// The values of a sound file do not overlap. In a crafted one, all rows may share the pages of one large value.
fn written(path: &Path, to: &mut Extract<'_>) -> Result<ForeignTables> {
    let (mut failed, mut left) = (None, most_bytes(path));
    let found = each_block(path, &mut |block| {
        left = left.saturating_sub(block.bytes().len() as u64);
        if left == 0 {
            to.overlaps = true;
            return Err(StoreError::Damaged("its values share their bytes".into()));
        }
        if !to.known.insert(block.cid()) {
            return Ok(());
        }
        to.car.block(block.borrowed()).map_err(|error| {
            // This error is reported; the other one only ends the search.
            failed = Some(error);
            StoreError::Busy
        })
    });
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(found?),
    }
}

pub(crate) fn in_temporary_files(source: io::Error) -> Error {
    Error::Io { path: PathBuf::from("a temporary directory"), source }
}
