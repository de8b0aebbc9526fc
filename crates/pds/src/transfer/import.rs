//! CAR in: verified first, then admitted, then named.

use std::cell::Cell;
use std::io::Read;

use crate::error::{Error, Result};
use crate::keys::handle::Keys;
use crate::model::finding::{Code, Finding, Severity, Stage};
use crate::model::jobs::Jobs;
use crate::model::report::{Expected, Report};
use crate::pipeline::ahead;
use crate::transfer::handle::Transfer;
use crate::verify::car::Marked;
use crate::verify::indexed::verify;
use crate::verify::stream::{NotInOrder, Reached, Streamed};
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::{FromStart, ReadAt};
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::contents::{Content, contents};
use pds_core::mst::diff::diff;
use pds_store::change::{Applied, BoxError, Change};
use pds_store::error::StoreError;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::{Store, View, first_fact, has_sound};

/// What an import has done.
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
    /// The commit that the ref names now.
    pub commit: Commit,
    /// The commit that it named before.
    pub before: Option<Commit>,
    /// How many blocks were not here before.
    pub new_blocks: u64,
    /// How many records the repository has.
    pub records: u64,
    /// How many of them are in each collection, in the order of their paths, if the file was read in one
    /// pass.
    pub collections: Option<Vec<(String, u64)>>,
    /// How many nodes its tree has.
    pub nodes: u64,
    /// What verifying reported that is no reason to refuse: records that are not of the data
    /// model, and oddities. They are kept byte for byte.
    pub findings: Vec<Finding>,
}

impl Imported {
    fn new(
        commit: Commit,
        before: Option<Commit>,
        new_blocks: u64,
        report: &Report,
        findings: Findings,
    ) -> Self {
        let Report { records, nodes, .. } = *report;
        let (collections, findings) = (None, findings.kept);
        Self { commit, before, new_blocks, records, collections, nodes, findings }
    }
}

impl Transfer<'_> {
    /// Takes in the repository of a CAR file and moves the current ref to its commit.
    ///
    /// The file is a full export, or a slice of which everything else is here. Its commit and its tree
    /// must be faultless; records may be anything, as long as they are there. Blocks that the commit does
    /// not reach are not taken in. A file in streamable order is read once, any other is indexed first, and so is one
    /// in which a record that stands at two paths stands once.
    ///
    /// Without a key the signature is not checked; [`key_of`](Self::key_of) tells the one that is known
    /// here. Another key than that counts as the key of this commit from then on; where nothing is signed
    /// here and the commit is newer than all there are, as that of all commits from it on.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the first thing that is wrong, [`Error::Car`] when the file is none or
    /// is damaged, [`Error::WrongDid`] when it is another account's. Nothing has changed then.
    pub fn import_file<F: ReadAt>(&self, file: F, key: Option<&PublicKey>) -> Result<Imported> {
        let bytes = file.len().map_err(CarError::Io)?;
        let jobs = self.jobs.for_bytes(bytes);
        if let Some(imported) = self.import_streamed(FromStart::new(&file), key, jobs)? {
            return Ok(imported);
        }
        // What is here already need not be read, so a slice is looked at before it is taken in.
        if self.parts.get_ref(&self.parts.name)?.is_none()
            && let Some(imported) = self.import_reached(&file, key, jobs)?
        {
            return Ok(imported);
        }
        self.import(&CarFile::open(file)?, key)
    }

    /// As [`import_file`](Self::import_file), of a file that has been indexed.
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
        let both = Overlay { over: car, under: stored.as_ref() };
        let Some(block) = both.get(&root)? else {
            let message = format!("the commit {root} is missing");
            let finding = Finding::new(Code::CommitMissing, message).cid(root);
            return Err(Error::Refused(Box::new(finding)));
        };
        let commit = Commit::decode(&block)?;
        let before = self.before_import(&commit)?;

        let mut findings = Findings::default();
        let expected = Expected { key, jobs: self.jobs, ..Expected::default() };
        let report = verify(&both, root, &expected, &mut |finding| findings.add(finding))?;
        if let Some(finding) = findings.fatal {
            return Err(Error::Refused(Box::new(finding)));
        }
        let is_present = before.as_ref().map(Commit::cid) == Some(root);
        let is_slice = Cell::new(false);
        let new_blocks = if is_present
            && has_all(self.parts.store.as_ref(), arriving(car, &both, &commit, &is_slice))?
        {
            Keys::new(self.parts).name_key(&commit, key)?;
            0
        } else {
            let base = before.as_ref().map(Commit::data);
            let elsewhere = std::iter::once(()).filter(|()| is_slice.get());
            let elsewhere = elsewhere.flat_map(|()| relied_on(car, &both, base, commit.data()));
            let mut blocks = arriving(car, &both, &commit, &is_slice).chain(elsewhere);
            self.admit((&commit, before.as_ref()), key, &mut blocks)?.new_blocks
        };
        Ok(Imported::new(commit, before, new_blocks, &report, findings))
    }

    /// Verifies and admits in one pass; `None` when that is not possible with this file, or when
    /// something is wrong that the other way can tell more about.
    fn import_streamed<F: Read + Send>(
        &self,
        file: F,
        key: Option<&PublicKey>,
        jobs: Jobs,
    ) -> Result<Option<Imported>> {
        let expected = Expected { key, jobs: Jobs::ONE, ..Expected::default() };
        let Ok(mut repo) = Streamed::open(file, &expected) else { return Ok(None) };
        let commit = repo.commit().clone();
        let before = self.before_import(&commit)?;
        if before.as_ref().map(Commit::cid) == Some(commit.cid()) {
            return Ok(None);
        }
        let mut findings = Findings::default();
        let blocks = std::iter::from_fn(|| {
            let block = repo.next_block().map(|block| block.map(|block| block.to_block()));
            findings.checked(block, repo.drain())
        });
        let follows = (&commit, before.as_ref());
        let Some(new_blocks) = self.admit_checked(follows, key, jobs, blocks)? else {
            return Ok(None);
        };
        let imported = Imported::new(commit, before, new_blocks, &repo.report(), findings);
        Ok(Some(Imported { collections: Some(repo.collections()), ..imported }))
    }

    /// As [`import_streamed`](Self::import_streamed), of a file in any order.
    fn import_reached<F: ReadAt>(
        &self,
        file: F,
        key: Option<&PublicKey>,
        jobs: Jobs,
    ) -> Result<Option<Imported>> {
        let Ok(car) = CarFile::open_unchecked(file) else { return Ok(None) };
        let [root] = *car.roots() else { return Ok(None) };
        let expected = Expected { key, jobs: Jobs::ONE, ..Expected::default() };
        let marked = Marked::new(&car);
        let Ok(mut repo) = Reached::begin(&marked, root, &expected) else { return Ok(None) };
        let commit = repo.commit().clone();
        let before = self.before_import(&commit)?;
        let mut findings = Findings::default();
        let blocks = std::iter::from_fn(|| {
            let block = match repo.next_block() {
                // The rest of the file has not been hashed: the other way does that.
                Ok(None) if marked.reached() < car.sections() => Err(NotInOrder),
                block => block,
            };
            findings.checked(block, repo.drain())
        });
        let follows = (&commit, before.as_ref());
        let Some(new_blocks) = self.admit_checked(follows, key, jobs, blocks)? else {
            return Ok(None);
        };
        let imported = Imported::new(commit, before, new_blocks, &repo.report(), findings);
        Ok(Some(Imported { collections: Some(repo.collections()), ..imported }))
    }

    /// Admits blocks that are checked on the way; `None` when they turn out not to be faultless.
    fn admit_checked(
        &self,
        (commit, before): (&Commit, Option<&Commit>),
        key: Option<&PublicKey>,
        jobs: Jobs,
        blocks: impl Iterator<Item = Result<Block, BoxError>> + Send,
    ) -> Result<Option<u64>> {
        let size = |block: &Result<Block, BoxError>| block.as_ref().map_or(0, |b| b.bytes().len());
        match ahead(jobs, blocks, size, |blocks| self.admit((commit, before), key, blocks)) {
            Ok(applied) => Ok(Some(applied.new_blocks)),
            Err(Error::Store(StoreError::Blocks(error))) if error.is::<NotInOrder>() => Ok(None),
            // Another writer was faster: the other way tries again.
            Err(Error::Store(StoreError::Changed)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Checks that a commit may follow the present one, which it returns.
    fn before_import(&self, commit: &Commit) -> Result<Option<Commit>> {
        let view = self.parts.store.view()?;
        let before = match view.refs()?.get(&self.parts.name) {
            // The file has the present commit, whatever has become of it here.
            Some(head) if head == commit.cid() => Some(commit.clone()),
            Some(head) => Some(self.parts.commit_in(view.as_ref(), head)?),
            None => {
                self.parts.may_begin(view.as_ref())?;
                None
            }
        };
        check_account(view.as_ref(), commit, before.as_ref())?;
        Ok(before)
    }

    /// Stores a commit with its blocks, and the facts about the account and its keys.
    ///
    /// A slice relies on blocks that are stored. Those that the present state does not have are among
    /// `blocks`, so no sweep must be waited for: either the ref has moved, or the others are live.
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
        // Facts rely on the others, which must still be as they were.
        if !facts.is_empty() {
            change = change.facts(facts).unless_changed_since(version);
        }
        let applied = self.parts.store.apply(change)?;
        self.parts.caches.forget_base();
        Ok(applied)
    }
}

/// Tells whether all of these blocks are stored and sound: a store may have lost some.
pub(crate) fn has_all(
    store: &dyn Store,
    blocks: impl Iterator<Item = Result<Block, BoxError>>,
) -> Result<bool> {
    for block in blocks {
        let block = block.map_err(StoreError::Blocks)?;
        if !has_sound(store, &block.cid())? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Checks that a commit is of the account whose repository this is.
fn check_account(view: &dyn View, commit: &Commit, before: Option<&Commit>) -> Result<()> {
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

/// What verifying reports on the way in: the first reason to refuse, and what is no reason.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) fatal: Option<Finding>,
    pub(crate) kept: Vec<Finding>,
}

impl Findings {
    /// Passes on a block that has been checked, unless something fatal was found.
    fn checked(
        &mut self,
        block: Result<Option<Block>, NotInOrder>,
        found: impl Iterator<Item = Finding>,
    ) -> Option<Result<Block, BoxError>> {
        found.for_each(|finding| self.add(finding));
        match block {
            Ok(_) if self.fatal.is_some() => Some(Err(NotInOrder.into())),
            Ok(block) => block.map(Ok),
            Err(error) => Some(Err(error.into())),
        }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        if finding.severity() == Severity::Error && finding.stage() != Stage::Record {
            self.fatal.get_or_insert(finding);
        } else if self.kept.len() < MAX_KEPT_FINDINGS {
            self.kept.push(finding);
        }
    }
}

/// The blocks that a commit reaches, as far as the file has them.
pub(crate) fn arriving<'a, F: ReadAt>(
    car: &'a CarFile<F>,
    both: &'a Overlay<'a>,
    commit: &Commit,
    is_slice: &'a Cell<bool>,
) -> impl Iterator<Item = Result<Block, BoxError>> + 'a {
    let reached =
        contents(both, commit.data()).with_records(car).filter_map(move |content| match content {
            Ok(Content::Node(block)) => Some(Ok(block)),
            Ok(Content::Record { found, .. }) => {
                is_slice.set(is_slice.get() || matches!(found, Ok(None)));
                found.map_err(BoxError::from).transpose()
            }
            Ok(Content::Again { .. }) => None,
            Err(error) => Some(Err(error.into())),
        });
    std::iter::once(Ok(commit.block().clone())).chain(reached)
}

/// The records that a slice relies on and the present state does not have: others here do, and may
/// be let go of before the slice is in. What the present state has stays, or the ref moves.
pub(crate) fn relied_on<'a, F: ReadAt>(
    car: &'a CarFile<F>,
    both: &'a Overlay<'a>,
    base: Option<Cid>,
    data: Cid,
) -> impl Iterator<Item = Result<Block, BoxError>> + 'a {
    diff(both, base, Some(data)).filter_map(|change| {
        let relied_on = change.map_err(BoxError::from).and_then(|change| {
            let Some(cid) = change.after else { return Ok(None) };
            if car.get(&cid)?.is_some() {
                return Ok(None);
            }
            let missing = || Error::RecordMissing { path: change.key.to_string(), cid };
            Ok(Some(both.get(&cid)?.ok_or_else(missing)?))
        });
        relied_on.transpose()
    })
}

/// How many findings are kept for the answer; `verify` reports all of them.
const MAX_KEPT_FINDINGS: usize = 1_000;
