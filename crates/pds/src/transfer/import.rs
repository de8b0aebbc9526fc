//! The import of CAR files: verify, store, then move the ref.

use crate::keys::handle::Keys;
use crate::transfer::handle::Transfer;
use pds_store::store::Store;
use std::io::Read;

use crate::error::{Error, Result};
use crate::model::finding::Finding;
use crate::model::jobs::Jobs;
use crate::model::report::Expected;
use crate::reading::Reading;
use crate::run_ahead::ahead;
use crate::transfer::incoming::{Findings, Incoming, root_commit, unboxed};
use crate::transfer::succession::{Fork, LocalChanges};
use crate::verify::check::Check;
use crate::verify::stream::{NotInOrder, Streamed};
use crate::verify::tracked_file::TrackedFile;
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::{FromStart, ReadAt};
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::base_tree::BaseTree;
use pds_store::change::{Applied, Change};
use pds_store::error::{BoxError, StoreError};
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::{View, first_fact, has_sound};

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
    /// The blobs that the checked records refer to, in order.
    pub blobs: Vec<Cid>,
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
        let blobs = check.blobs.take().unwrap_or_default().into_iter().collect();
        let (findings, lost, returned) = (findings.kept, 0, 0);
        Self {
            commit,
            before,
            new_blocks,
            records,
            collections,
            nodes,
            blobs,
            findings,
            lost,
            returned,
        }
    }
}

impl Transfer<'_> {
    /// Imports the repository of a CAR file, and points the current ref to its commit.
    ///
    /// The file is a full export, or a slice over stored blocks. Its commit and its tree must be valid. Its
    /// records must be present, and may break the data model. Blocks that the commit does not reach are not
    /// stored. A file in streamable order is read once. Any other file is indexed first, and so is a file that
    /// has a record of two paths only once.
    ///
    /// Of the stored blocks, only those are read that differ from the present state, so the cost of a slice
    /// is proportional to its changes.
    ///
    /// The commit must be later than the present one. If the present one was signed here, and the new one is not known
    /// to descend from it, the new one must also have the records that were written here.
    /// [`allow_older`](Self::allow_older) and [`allow_loss`](Self::allow_loss) lift these rules.
    ///
    /// Without a key, the signature is not checked. [`Keys::of`] returns the known key of a commit. If the given
    /// key differs from it, the key is recorded for this commit. In a mirror, a key that was given for the newest
    /// commit becomes the expected key of later commits as well.
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
        self.parts.until_unchanged(|| self.import_once(car, root, key))
    }

    fn import_once<F: ReadAt>(
        &self,
        car: &CarFile<F>,
        root: Cid,
        key: Option<&PublicKey>,
    ) -> Result<Imported> {
        let stored = self.parts.reading()?;
        let file = TrackedFile::new(car);
        let both = Overlay { over: &file, under: stored.as_ref() };
        let commit = root_commit(&both, root)?;
        let before = self.before_import(&commit, key)?;

        let expected = Expected::default().key(key).accept_clock(self.parts.accepts_clock);
        let is_walked = |cid: &Cid| file.has(cid);
        let base = || {
            let base = BaseTree::new(stored.as_ref(), before.as_ref()?.data(), &is_walked);
            Some(base.cached(self.parts.caches.nodes().as_ref()))
        };
        let arrive = || Incoming::new(&both, &commit, base(), &expected).with_rest(&file);
        let followed = before.as_ref().filter(|_| is_by(&commit, key));
        let local = match self.check_loss(&commit, followed, &stored, &both) {
            Err(error) if error.is_corrupt() => {
                // If the damage is in the file, this fails with its first finding.
                arrive().check_all()?;
                return Err(error);
            }
            local => local?,
        };
        let mut blocks = arrive();
        let is_present = before.as_ref().map(Commit::cid) == Some(root);
        let new_blocks = if is_present && has_all(self.parts.store.as_ref(), &mut blocks)? {
            Keys::new(self.parts).name_key(&commit, key)?;
            0
        } else {
            if is_present {
                blocks = arrive();
            }
            let jobs = self.jobs.for_bytes(car.bytes());
            self.admit_ahead((&commit, before.as_ref()), key, jobs, &mut blocks)?
        };
        let Incoming { mut check, findings, .. } = blocks;
        let LocalChanges { lost, returned } = local;
        let imported = Imported::new(commit.clone(), before, new_blocks, &mut check, findings);
        Ok(Imported { lost, returned, ..imported })
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
        let before = self.before_import(&commit, key)?;
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
        match self.admit_ahead((&commit, before.as_ref()), key, jobs, blocks) {
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

    /// Admits blocks that are read and checked ahead; returns how many of them are new.
    fn admit_ahead(
        &self,
        (commit, before): (&Commit, Option<&Commit>),
        key: Option<&PublicKey>,
        jobs: Jobs,
        blocks: impl Iterator<Item = Result<Block, BoxError>> + Send,
    ) -> Result<u64> {
        let size = |block: &Result<Block, BoxError>| block.as_ref().map_or(0, |b| b.bytes().len());
        let admitted =
            ahead(jobs, blocks, size, |blocks| self.admit((commit, before), key, blocks));
        admitted.map(|applied| applied.new_blocks).map_err(unboxed)
    }

    /// Checks that a commit may follow the present one, and returns the present one.
    fn before_import(&self, commit: &Commit, key: Option<&PublicKey>) -> Result<Option<Commit>> {
        let view = self.parts.store.view()?;
        let before = match view.refs()?.get(&self.parts.name) {
            // The file has the present commit, so damage of the stored one does not matter.
            Some(head) if head == commit.cid() => Some(commit.clone()),
            Some(head) => Some(self.parts.commit_in(view.as_ref(), head)?),
            None => {
                self.parts.may_begin(view.as_ref())?;
                None
            }
        };
        check_account(view.as_ref(), commit, before.as_ref())?;
        if let Some(before) = before.as_ref().filter(|_| is_by(commit, key)) {
            self.succession.check_rev(self.parts, commit, before)?;
        }
        Ok(before)
    }

    /// Checks that a commit has the records that were written here. Returns the differences if they are allowed.
    fn check_loss(
        &self,
        commit: &Commit,
        before: Option<&Commit>,
        stored: &Reading,
        blocks: &dyn Blocks,
    ) -> Result<LocalChanges> {
        // An older commit lacks what came later, and the caller has asked for it.
        let is_next =
            |before: &&Commit| before.cid() != commit.cid() && before.rev() <= commit.rev();
        let Some(before) = before.filter(is_next) else { return Ok(LocalChanges::default()) };
        let Some(fork) = Fork::between(self.parts, before, commit, blocks)? else {
            return Ok(LocalChanges::default());
        };
        let local = fork.local_changes(stored, blocks, commit);
        match local {
            // A state that cannot be read is not compared.
            Err(error) if self.succession.allows_loss && error.is_corrupt() => {
                Ok(LocalChanges::default())
            }
            Ok(LocalChanges { lost, .. }) if lost > 0 && !self.succession.allows_loss => {
                let (name, found) = (self.parts.name.clone(), commit.cid());
                Err(Error::LocalLoss { name, found, lost })
            }
            local => local,
        }
    }

    /// Stores a commit with its blocks, and the facts about the account and its keys.
    ///
    /// A slice relies on stored blocks. `blocks` includes those that the present state does not have. The
    /// others are live, unless the ref has moved, so a concurrent sweep is harmless.
    fn admit(
        &self,
        (commit, before): (&Commit, Option<&Commit>),
        key: Option<&PublicKey>,
        blocks: &mut (dyn Iterator<Item = Result<Block, BoxError>> + '_),
    ) -> Result<Applied> {
        let expect = before.map_or(Expect::Absent, |before| Expect::Exactly(before.cid()));
        let edit = RefEdit { name: self.parts.name.clone(), target: Some(commit.cid()), expect };
        let view = self.parts.store.view()?;
        check_account(view.as_ref(), commit, before)?;
        let believed = Keys::new(self.parts).believed(view.as_ref(), commit, key)?;
        let version = view.version();
        drop(view);
        let event = believed.event();
        let mut facts = believed.facts(commit.cid());
        if before.is_none() {
            facts.push(FactEdit::Set(Fact::Account(commit.did().clone())));
        }
        let mut change = Change::new(event).blocks(blocks).edit(edit);
        // The new facts depend on the present ones, so the store must not have changed.
        if !facts.is_empty() {
            change = change.facts(facts).unless_changed_since(version);
        }
        let applied = self.parts.store.apply(change)?;
        self.parts.caches.forget_base();
        Ok(applied)
    }
}

/// Returns whether all of these blocks are stored and intact.
pub(crate) fn has_all(
    store: &dyn Store,
    blocks: impl Iterator<Item = Result<Block, BoxError>>,
) -> Result<bool> {
    for block in blocks {
        let block = block.map_err(|error| unboxed(StoreError::Blocks(error).into()))?;
        if !has_sound(store, &block.cid())? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns whether a commit has a signature by the expected key, if a key is expected. A commit with another signature
/// is refused for that reason, whatever its rev and its records.
fn is_by(commit: &Commit, key: Option<&PublicKey>) -> bool {
    key.is_none_or(|key| commit.verify(key).is_ok())
}

/// Checks that a commit belongs to the account of this repository.
pub(crate) fn check_account(
    view: &dyn View,
    commit: &Commit,
    before: Option<&Commit>,
) -> Result<()> {
    let known = match first_fact(view, FactKind::Account)? {
        Some(Fact::Account(did)) => Some(did),
        _ => before.map(|before| before.did().clone()),
    };
    match known {
        Some(expected) if expected != *commit.did() => {
            Err(Error::WrongDid { expected, found: commit.did().clone() })
        }
        _ => Ok(()),
    }
}
