//! CAR in: verified first, then admitted, then named.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};

use super::verify::{
    Code, Expected, Finding, LARGE_BYTES, NotInOrder, Severity, Stage, Streamed, verify,
};
use super::{Error, Repo, Result};
use crate::car::{CarError, CarFile};
use crate::commit::Commit;
use crate::crypto::PublicKey;
use crate::data::{Block, Blocks, Overlay};
use crate::mst::{Step, walk};
use crate::store::{Applied, BlockStream, BoxError, Expect, RefEdit, StoreError};

/// What an import has done.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let mut file = Vec::new();
/// # repo.export(&"HEAD".parse()?, &mut file)?;
/// let again = repo.import_file(std::io::Cursor::new(file), None)?;
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
    /// What verifying reported that is no reason to refuse: records that are not of the data
    /// model, and oddities. They are kept byte for byte.
    pub findings: Vec<Finding>,
}

impl Repo {
    /// Takes in the repository of a CAR file and moves the current ref to its commit.
    ///
    /// The file is a full export, or a slice of which everything else is here. Its commit and its tree
    /// must be faultless; records may be anything, as long as they are there. Blocks that the commit does
    /// not reach are not taken in. A file in streamable order is read once, any other is indexed first.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the first thing that is wrong, [`Error::Car`] when the file is none or
    /// is damaged, [`Error::WrongDid`] when it is another account's. Nothing has changed then.
    pub fn import_file<F: Read + Seek + Send>(
        &self,
        mut file: F,
        key: Option<&PublicKey>,
    ) -> Result<Imported> {
        file.seek(SeekFrom::Start(0)).map_err(CarError::Io)?;
        match self.import_streamed(&mut file, key)? {
            Some(imported) => Ok(imported),
            None => self.import(&CarFile::open(file)?, key),
        }
    }

    /// As [`import_file`](Self::import_file), of a file that has been indexed.
    ///
    /// # Errors
    ///
    /// As [`import_file`](Self::import_file).
    pub fn import<F: Read + Seek + Send>(
        &self,
        car: &CarFile<F>,
        key: Option<&PublicKey>,
    ) -> Result<Imported> {
        let Some(root) = car.roots().first().copied() else {
            return Err(Error::Car(CarError::Header { reason: "the file has no root".to_owned() }));
        };
        let both = Overlay { over: car, under: self.store.as_ref() };
        let Some(block) = both.get(&root)? else {
            let message = format!("the commit {root} is missing");
            let finding = Finding::new(Code::CommitMissing, message).cid(root);
            return Err(Error::Refused(Box::new(finding)));
        };
        let commit = Commit::decode(&block)?;
        let before = self.before_import(&commit)?;

        let mut findings = Findings::default();
        let expected = Expected { key, ..Expected::default() };
        let report = verify(&both, root, &expected, &mut |finding| findings.add(finding))?;
        if let Some(finding) = findings.fatal {
            return Err(Error::Refused(Box::new(finding)));
        }
        let is_present = before.as_ref().map(Commit::cid) == Some(root);
        let new_blocks = if is_present && self.has_all(arriving(car, &both, &commit))? {
            0
        } else {
            self.admit(&commit, before.as_ref(), &mut arriving(car, &both, &commit))?.new_blocks
        };
        let (records, findings) = (report.records, findings.kept);
        Ok(Imported { commit, before, new_blocks, records, findings })
    }

    /// Verifies and admits in one pass; `None` when that is not possible with this file, or when
    /// something is wrong that the other way can tell more about.
    fn import_streamed<F: Read>(
        &self,
        file: F,
        key: Option<&PublicKey>,
    ) -> Result<Option<Imported>> {
        let expected = Expected { key, ..Expected::default() };
        let Ok(mut repo) = Streamed::begin(file, &expected) else { return Ok(None) };
        let commit = repo.commit().clone();
        let before = self.before_import(&commit)?;
        if before.as_ref().map(Commit::cid) == Some(commit.cid()) {
            return Ok(None);
        }
        let mut findings = Findings::default();
        let mut blocks = std::iter::from_fn(|| {
            let block = repo.next_block().map(|block| block.map(|block| block.to_block()));
            repo.drain().for_each(|finding| findings.add(finding));
            match block {
                Ok(_) if findings.fatal.is_some() => Some(Err(NotInOrder.into())),
                Ok(block) => block.map(Ok),
                Err(error) => Some(Err(error.into())),
            }
        });
        let admitted = self.admit(&commit, before.as_ref(), &mut blocks);
        let new_blocks = match admitted {
            Ok(applied) => applied.new_blocks,
            Err(Error::Store(StoreError::Blocks(error))) if error.is::<NotInOrder>() => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let records = repo.into_report().records;
        let findings = findings.kept;
        Ok(Some(Imported { commit, before, new_blocks, records, findings }))
    }

    /// Tells whether none of these blocks is new here: a store may have lost some.
    fn has_all(&self, blocks: impl Iterator<Item = Result<Block, BoxError>>) -> Result<bool> {
        for block in blocks {
            let block = block.map_err(StoreError::Blocks)?;
            if self.store.get(&block.cid())?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Checks that a commit may follow the present one, which it returns.
    fn before_import(&self, commit: &Commit) -> Result<Option<Commit>> {
        let before = self.head()?.map(|head| self.commit_at(head)).transpose()?;
        match self.did()? {
            Some(expected) if expected != *commit.did() => {
                Err(Error::WrongDid { expected, found: commit.did().clone() })
            }
            _ => Ok(before),
        }
    }

    fn admit(
        &self,
        commit: &Commit,
        before: Option<&Commit>,
        blocks: &mut BlockStream<'_>,
    ) -> Result<Applied> {
        let expect = before.map_or(Expect::Absent, |before| Expect::Exactly(before.cid()));
        let edit = RefEdit { name: self.name.clone(), target: Some(commit.cid()), expect };
        let applied = self.store.apply(blocks, &[edit], "import")?;
        if before.is_none() {
            self.store.set_meta(super::META_DID, Some(commit.did().as_str()))?;
        }
        Ok(applied)
    }
}

/// What verifying reports on the way in: the first reason to refuse, and what is no reason.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) fatal: Option<Finding>,
    pub(super) kept: Vec<Finding>,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        if finding.severity() == Severity::Error && finding.stage() != Stage::Record {
            self.fatal.get_or_insert(finding);
        } else if self.kept.len() < MAX_KEPT_FINDINGS {
            self.kept.push(finding);
        }
    }
}

/// The blocks that a commit reaches, as far as the file has them.
pub(super) fn arriving<'a, F: Read + Seek + Send>(
    car: &'a CarFile<F>,
    both: &'a Overlay<'a>,
    commit: &Commit,
) -> impl Iterator<Item = Result<Block, BoxError>> + 'a {
    // Large records that have arrived: a tree may name one of them a million times.
    let mut large = HashSet::new();
    let reached = walk(both, commit.data()).filter_map(move |step| match step {
        Ok(Step::Node { block, .. }) => Some(Ok(block)),
        Ok(Step::Entry { value, .. }) if large.contains(&value) => None,
        Ok(Step::Entry { value, .. }) => {
            let block = car.get(&value).map_err(BoxError::from).transpose();
            if let Some(Ok(block)) = &block
                && block.bytes().len() >= LARGE_BYTES
            {
                large.insert(value);
            }
            block
        }
        Err(error) => Some(Err(error.into())),
    });
    std::iter::once(Ok(commit.block().clone())).chain(reached)
}

/// How many findings are kept for the answer; `verify` reports all of them.
const MAX_KEPT_FINDINGS: usize = 1_000;
