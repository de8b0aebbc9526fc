//! The import of CAR files: in one pass where their order allows it, else through an index.

use std::io::Read;

use crate::error::{Error, Result};
use crate::model::finding::Finding;
use crate::model::jobs::Jobs;
use crate::model::report::Expected;
use crate::transfer::admission::{Arrival, is_by};
use crate::transfer::earlier::{Earlier, LeftOut};
use crate::transfer::handle::Transfer;
use crate::transfer::incoming::Findings;
use crate::transfer::succession::{Fork, LocalChanges};
use crate::verify::check::Check;
use crate::verify::noted_blobs::NotedBlobs;
use crate::verify::stream::{NotInOrder, Streamed};
use crate::verify::tracked_file::TrackedFile;
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::{FromStart, ReadAt};
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::cid::Cid;
use pds_store::error::{BoxError, StoreError};

/// The result of an import.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let mut file = Vec::new();
/// # repo.transfer().export(&"HEAD".parse()?, &mut file)?;
/// let again = repo.transfer().import_file(std::io::Cursor::new(file), None)?;
/// assert_eq!((again.new_blocks, again.records), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Imported {
    /// The commit that the ref points to after the import.
    pub commit: Commit,
    /// The commit that the ref pointed to before.
    pub before: Option<Commit>,
    /// The number of newly stored blocks.
    pub new_blocks: u64,
    /// The number of records that were checked: all records of a full export, or those that a slice changes.
    pub records: u64,
    /// The number of checked records in each collection, in the order of their paths.
    pub collections: Vec<(String, u64)>,
    /// The number of nodes that were checked.
    pub nodes: u64,
    /// The blobs that the checked records refer to, in order. If there are more than 100,000, only these many.
    pub blobs: Vec<Cid>,
    /// Whether the checked records refer to further blobs.
    pub has_more_blobs: bool,
    /// The number of other states that arrived with the commit and were stored, each with a row of the log.
    pub earlier: u64,
    /// The newest of these states, if it is newer than the commit.
    pub newer: Option<Commit>,
    /// Commits that arrived with the commit and were not stored.
    pub left_out: Vec<LeftOut>,
    /// The findings that are no reason to refuse the file: oddities, and records that break the data model.
    /// Such records are stored unchanged.
    pub findings: Vec<Finding>,
    /// The number of records whose local version the new state does not have. It is 0 unless the import
    /// [allows losses](Transfer::allow_loss).
    pub lost: u64,
    /// The number of records that were deleted here, and that the new state has.
    pub returned: u64,
}

impl Imported {
    pub(crate) fn new(
        commit: Commit,
        before: Option<Commit>,
        new_blocks: u64,
        check: &mut Check<'_>,
        findings: Findings,
    ) -> Self {
        let (records, nodes) = (check.report.records, check.report.nodes);
        let collections = check.collections.take().unwrap_or_default();
        let NotedBlobs { cids, has_more: has_more_blobs } = check.blobs.take().unwrap_or_default();
        let blobs = cids.into_iter().collect();
        let (earlier, newer, left_out) = (0, None, Vec::new());
        let (findings, lost, returned) = (findings.kept, 0, 0);
        Self {
            commit,
            before,
            new_blocks,
            records,
            collections,
            nodes,
            blobs,
            has_more_blobs,
            earlier,
            newer,
            left_out,
            findings,
            lost,
            returned,
        }
    }

    /// Adds the other states that arrived, and the changes made here that the new state does not have.
    pub(crate) fn with(mut self, earlier: Earlier, local: LocalChanges) -> Self {
        self.earlier = earlier.states.len() as u64;
        self.newer = earlier.newer_than(&self.commit).cloned();
        self.left_out = earlier.left_out;
        (self.lost, self.returned) = (local.lost, local.returned);
        self
    }
}

impl Transfer<'_> {
    /// Imports the repository of a CAR file, and points the current ref to its commit.
    ///
    /// The file is a full export, or a slice over stored blocks. Its commit and its tree must be valid. Its
    /// records must be present, and may break the data model. Other states of the file that are whole and valid are
    /// stored too, each with a row of the log. Blocks that none of these states reaches are not stored. A file in
    /// streamable order is read once. Any other file is indexed first, and so is a file that has a record of two paths
    /// only once.
    ///
    /// Of the stored blocks, only those are read that differ from the present state, so the cost of a slice
    /// is proportional to its changes.
    ///
    /// The commit must be later than the present one. If the present one was signed here, and the new one is not known
    /// to descend from it, the new one must also have the records that were written here.
    /// [`allow_older`](Self::allow_older) and [`allow_loss`](Self::allow_loss) lift these rules.
    ///
    /// Without a key, the signature is not checked. [`Keys::of`](crate::keys::handle::Keys::of) returns the known key of
    /// a commit. If the given key differs from it, the key is recorded for this commit. In a mirror, a key that was
    /// given for the newest commit becomes the expected key of later commits as well.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the first error, [`Error::Car`] if the file is damaged or not a CAR file, and
    /// [`Error::WrongDid`] if it belongs to another account. [`Error::Older`], [`Error::SameRev`] and
    /// [`Error::LocalLoss`] if its commit must not follow the present one. After an error, nothing has changed.
    pub fn import_file<F: ReadAt>(&self, file: F, key: Option<&PublicKey>) -> Result<Imported> {
        let bytes = file.len().map_err(CarError::Io)?;
        let jobs = self.jobs.for_bytes(bytes);
        if let Some(imported) = self.import_streamed(FromStart::new(&file), key, jobs)? {
            return Ok(imported);
        }
        // A block is hashed when the walk reaches it, or at the end. Of duplicate blocks, only one would be hashed, so
        // such a file is hashed when it is opened.
        let car = match CarFile::open_unchecked(&file) {
            Ok(car) if car.duplicates() == 0 => car,
            _ => CarFile::open(&file)?,
        };
        self.import(&car, key).or_else(|error| {
            // If the file is damaged, this returns the damage with its place.
            CarFile::open(&file)?;
            Err(error)
        })
    }

    /// Imports an indexed file; see [`import_file`](Self::import_file).
    ///
    /// # Errors
    ///
    /// As [`import_file`](Self::import_file).
    pub fn import<F: ReadAt>(&self, car: &CarFile<F>, key: Option<&PublicKey>) -> Result<Imported> {
        let Some(root) = car.roots().first().copied() else {
            return Err(Error::Car(CarError::Header { reason: "the file has no root".to_owned() }));
        };
        let expected = Expected::default().key(key);
        self.parts.until_unchanged(|| self.admit_once(&TrackedFile::new(car), root, &expected))
    }

    /// Verifies and stores a file in one pass. Returns `None` if the order of the file does not allow that, if its
    /// tree must be compared with the present one, or if it has an error that an index can locate better.
    fn import_streamed<F: Read + Send>(
        &self,
        file: F,
        key: Option<&PublicKey>,
        jobs: Jobs,
    ) -> Result<Option<Imported>> {
        let accept_clock = self.parts.accepts_clock;
        let expected = Expected { key, accept_clock, jobs: Jobs::ONE, ..Expected::default() };
        let Ok(mut repo) = Streamed::open(file, &expected) else { return Ok(None) };
        let commit = repo.commit().clone();
        let before = self.before_import(&commit, is_by(&commit, key))?;
        if before.as_ref().map(Commit::cid) == Some(commit.cid()) {
            return Ok(None);
        }
        if let Some(before) = &before
            && Fork::between(self.parts, before, &commit, self.parts.store.as_ref())?.is_some()
        {
            return Ok(None);
        }
        let mut findings = Findings::default();
        let blocks = std::iter::from_fn(|| {
            let block = repo.next_block().map(|block| block.map(|block| block.to_block()));
            let is_sound = findings.take(repo.check.drain()).map_err(|_| NotInOrder);
            is_sound.and(block).map_err(BoxError::from).transpose()
        });
        let earlier = Earlier::default();
        let arrival = Arrival { commit: &commit, before: before.as_ref(), key, earlier: &earlier };
        match self.admit_ahead(&arrival, None, jobs, blocks) {
            Ok(new_blocks) => {
                let check = &mut repo.check;
                Ok(Some(Imported::new(commit, before, new_blocks, check, findings)))
            }
            Err(Error::Store(StoreError::Blocks(error))) if error.is::<NotInOrder>() => Ok(None),
            // Another writer was faster: the other way tries again.
            Err(Error::Store(StoreError::Changed)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
