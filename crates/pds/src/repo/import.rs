//! CAR in: verified first, then admitted, then named.

use std::io::{Read, Seek};

use super::verify::{Expected, Finding, Severity, Stage, verify};
use super::{Error, Repo, Result};
use crate::car::{CarError, CarFile};
use crate::commit::Commit;
use crate::crypto::PublicKey;
use crate::data::{Block, Blocks, Overlay};
use crate::mst::{Step, walk};
use crate::store::{BoxError, Expect, RefEdit};

/// What an import has done.
#[derive(Clone, Debug)]
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
    /// not reach are not taken in.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the first thing that is wrong, [`Error::WrongDid`] when it is another
    /// account's. Nothing has changed then.
    pub fn import<F: Read + Seek + Send>(
        &self,
        car: &CarFile<F>,
        key: Option<&PublicKey>,
    ) -> Result<Imported> {
        let Some(root) = car.roots().first().copied() else {
            return Err(Error::Car(CarError::Header { reason: "the file has no root".to_owned() }));
        };
        let base = self.head()?;
        let before = base.map(|base| self.commit_at(base)).transpose()?;
        let both = Overlay { over: car, under: self.store.as_ref() };
        let block = both.get(&root)?.ok_or(Error::UnknownCommit(root))?;
        let commit = Commit::decode(&block)?;
        if let Some(expected) = self.did()?
            && expected != *commit.did()
        {
            return Err(Error::WrongDid { expected, found: commit.did().clone() });
        }

        let (mut fatal, mut findings) = (None, Vec::new());
        let expected = Expected { key, ..Expected::default() };
        let report = verify(&both, root, &expected, &mut |finding| {
            if finding.severity() == Severity::Error && finding.stage() != Stage::Record {
                fatal.get_or_insert(finding);
            } else if findings.len() < MAX_KEPT_FINDINGS {
                findings.push(finding);
            }
        })?;
        if let Some(finding) = fatal {
            return Err(Error::Refused(Box::new(finding)));
        }

        let done = |new_blocks| {
            let (commit, before) = (commit.clone(), before.clone());
            Imported { commit, before, new_blocks, records: report.records, findings: Vec::new() }
        };
        if base == Some(root) {
            return Ok(Imported { findings, ..done(0) });
        }
        let expect = base.map_or(Expect::Absent, Expect::Exactly);
        let edit = RefEdit { name: self.name.clone(), target: Some(root), expect };
        let mut blocks = arriving(car, &both, &commit);
        let applied = self.store.apply(&mut blocks, &[edit], "import")?;
        drop(blocks);
        if before.is_none() {
            self.store.set_meta(super::META_DID, Some(commit.did().as_str()))?;
        }
        Ok(Imported { findings, ..done(applied.new_blocks) })
    }
}

/// The blocks that a commit reaches, as far as the file has them.
fn arriving<'a, F: Read + Seek + Send>(
    car: &'a CarFile<F>,
    both: &'a Overlay<'a>,
    commit: &Commit,
) -> impl Iterator<Item = Result<Block, BoxError>> + 'a {
    let reached = walk(both, commit.data()).filter_map(|step| match step {
        Ok(Step::Node { block, .. }) => Some(Ok(block)),
        Ok(Step::Entry { value, .. }) => car.get(&value).map_err(BoxError::from).transpose(),
        Err(error) => Some(Err(error.into())),
    });
    std::iter::once(Ok(commit.block().clone())).chain(reached)
}

/// How many findings are kept for the answer; `verify` reports all of them.
const MAX_KEPT_FINDINGS: usize = 1_000;
