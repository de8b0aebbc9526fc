//! Proofs: the blocks that show the presence or absence of a record, to a reader with the key of the account.

use std::collections::HashSet;
use std::io::Write;

use crate::error::{Error, Result};
use crate::snapshot::{Record, Snapshot};
use crate::transfer::export::Exported;
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read::CarReader;
use pds_core::car::read_at::{FromStart, ReadAt};
use pds_core::car::write::CarWriter;
use pds_core::commit::{Commit, CommitError};
use pds_core::data::block::{Block, ReadError};
use pds_core::data::cid::Cid;
use pds_core::identity::key_history::{KeyError, KeyHistory, KeyPeriod};
use pds_core::mst::error::MstError;
use pds_core::mst::proof::Descent;
use pds_core::syntax::did::Did;
use pds_core::syntax::record_path::RecordPath;
use pds_core::syntax::tid::Tid;

/// The blocks that show one path: the presence or absence of its record.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::transfer::prove::verify_proof;
///
/// let path = "com.example.note/a".parse()?;
/// repo.put(&path, &pds::data::Value::from([("text", pds::data::Value::from("hi"))]))?;
/// let mut car = Vec::new();
/// repo.snapshot()?.prove(&path)?.write_car(&mut car)?;
///
/// // The reader has only the file and the key of the account:
/// let keys = repo.public_key()?.expect("it was just made").into();
/// let proven = verify_proof(std::io::Cursor::new(car), &path, &keys)?;
/// assert!(proven.record.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Proof {
    commit: Commit,
    nodes: Vec<Block>,
    record: Option<Record>,
}

/// The result of a verified proof.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proven {
    /// The signed commit, which names the account and the rev.
    pub commit: Commit,
    /// The key that signed the commit, with its period.
    pub signed_by: KeyPeriod,
    /// The time of the rev in microseconds, or `None` if the rev is [no time](KeyHistory::time_of) of the account.
    pub time_micros: Option<u64>,
    /// The key is a former one, and the commit [may be later](KeyHistory::may_be_later) than its period.
    pub may_be_later: bool,
    /// The record, or `None` if the proof shows its absence.
    pub record: Option<Record>,
    /// The next node of the whole descent, if the file ends above it. The nodes above it show the absence.
    pub ends_above: Option<Cid>,
    /// The number of blocks in the file that are not part of the proof.
    pub unneeded: u64,
    /// One of these blocks.
    pub one_unneeded: Option<Cid>,
    /// The number of sections in the file that repeat an earlier block.
    pub repeated: u64,
}

impl Proven {
    /// Checks that the rev shows that the key of the commit was valid, or that the key is the present one.
    ///
    /// # Errors
    ///
    /// [`ProofError::FormerKey`].
    pub fn require_valid_key(&self) -> Result<(), ProofError> {
        match self.commit.rev().filter(|_| self.may_be_later) {
            Some(rev) => Err(ProofError::FormerKey { cid: self.commit.cid(), rev }),
            None => Ok(()),
        }
    }

    /// Checks that the file has the same blocks as a proof by [`Snapshot::prove`], each once, in any order.
    ///
    /// # Errors
    ///
    /// [`ProofError::Short`], [`ProofError::Unneeded`] or [`ProofError::Repeated`].
    pub fn require_exact(&self) -> Result<(), ProofError> {
        if let Some(cid) = self.ends_above {
            return Err(ProofError::Short { cid });
        }
        if let Some(cid) = self.one_unneeded {
            return Err(ProofError::Unneeded { count: self.unneeded, cid });
        }
        match self.repeated {
            0 => Ok(()),
            count => Err(ProofError::Repeated { count }),
        }
    }
}

/// The error for an invalid proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The file cannot be read, or a block in it is damaged.
    #[error(transparent)]
    Car(#[from] CarError),
    /// The header does not name exactly one root.
    #[error("the header of a proof must name one root, the commit, and nothing else")]
    Header,
    /// A required block is missing from the file.
    #[error("{what} {cid} is missing")]
    Missing {
        /// The kind of the block.
        what: &'static str,
        /// The block.
        cid: Cid,
    },
    /// The file ends above the end of the descent. Only an exact proof requires the nodes below.
    #[error("tree node {cid} is missing: the descent ends at the level of the key")]
    Short {
        /// The next node of the descent.
        cid: Cid,
    },
    /// The file contains blocks that are not part of the proof. Only an exact proof excludes them.
    #[error("the file has blocks that are not part of this proof: {count}, among them {cid}")]
    Unneeded {
        /// The number of these blocks.
        count: u64,
        /// One of them.
        cid: Cid,
    },
    /// The file repeats blocks. Only an exact proof excludes that.
    #[error("the file repeats blocks: {count}")]
    Repeated {
        /// The number of sections that repeat an earlier block.
        count: u64,
    },
    /// The file could not be read a second time.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The root is not a commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A node breaks a rule of the tree.
    #[error(transparent)]
    Mst(#[from] MstError),
    /// The proof belongs to another account.
    #[error("the proof belongs to {found}, but the key belongs to {expected}")]
    WrongDid {
        /// The account of the given key.
        expected: Did,
        /// The account of the repository.
        found: Did,
    },
    /// The commit is signed with a former key, at an unknown time. Only a strict check excludes that.
    #[error(
        "commit {cid}: signed with a former key of the account, and rev {rev} does not say when"
    )]
    FormerKey {
        /// The commit.
        cid: Cid,
        /// The rev, which is no time of the account.
        rev: Tid,
    },
    /// The commit is not signed by the account.
    #[error("commit {cid}: {source}")]
    Signature {
        /// The commit.
        cid: Cid,
        /// The reason.
        #[source]
        source: KeyError,
    },
}

impl Snapshot {
    /// Returns the proof for a path, which shows the presence or absence of its record.
    ///
    /// # Errors
    ///
    /// [`Error::Mst`] if the tree cannot be read, [`Error::RecordMissing`] if the block of the record is missing.
    /// [`Error::Commit`] if a field of the commit is malformed: no verifier accepts it.
    pub fn prove(&self, path: &RecordPath) -> Result<Proof> {
        let key = path.to_string();
        Commit::decode(self.commit().block())?;
        let mut descent = Descent::new(self.commit().data(), key.as_bytes());
        let nodes = descent.through(self.blocks())?;
        let record = descent.value().map(|cid| {
            let block = self.blocks().get(&cid)?;
            let block = block.ok_or_else(|| Error::RecordMissing { path: key.clone(), cid })?;
            Ok::<_, Error>(Record { path: path.clone(), block })
        });
        Ok(Proof { commit: self.commit().clone(), nodes, record: record.transpose()? })
    }
}

impl Proof {
    /// Returns the record, or `None` if the proof shows its absence.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Returns the commit.
    #[must_use]
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Iterates over the blocks: the commit, the nodes from the root down, the record.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        // All blocks differ, because each block except the last contains the CID of the next one.
        let record = self.record.iter().map(|record| &record.block);
        std::iter::once(self.commit.block()).chain(&self.nodes).chain(record)
    }

    /// Writes the blocks as a CAR file with the commit as root.
    ///
    /// # Errors
    ///
    /// [`Error::Car`] if the file cannot be written.
    pub fn write_car(&self, out: impl Write) -> Result<Exported> {
        let mut car = CarWriter::new(out, &[self.commit.cid()])?;
        let mut blocks = 0;
        for block in self.blocks() {
            car.block(block.borrowed())?;
            blocks += 1;
        }
        let bytes = car.bytes();
        car.finish()?;
        Ok(Exported { blocks, bytes })
    }
}

/// Verifies the proof in a CAR file for a path, with the keys of the account.
///
/// The result depends only on the file and the keys:
///
/// - Every block must match its CID.
/// - The header must name one root, the commit, and have no other content.
/// - The commit must be signed by the key that was valid at its rev. If the rev is no time, any key of the account
///   counts; [`Proven::require_valid_key`] refuses former ones.
/// - The commit must belong to the account of the keys, if the keys name it.
/// - The nodes must show the presence or absence of the record. Nodes below the level of the key may be missing.
///
/// Other blocks are allowed, so a whole export is a proof of every path. [`Proven::require_exact`] refuses them.
/// Memory use grows with the number of blocks in the file, not with their size.
///
/// (Specification "Repository", "Security Considerations"; "Sync", "Inclusion and exclusion proofs".)
///
/// # Errors
///
/// [`ProofError`] with the first error. [`ProofError::Car`] with [`CarError::Header`] if the file is not a CAR file.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::transfer::prove::{verify_proof, ProofError};
///
/// let mut car = Vec::new();
/// repo.snapshot()?.prove(&"com.example.note/a".parse()?)?.write_car(&mut car)?;
/// let keys = repo.public_key()?.expect("it was just made").into();
/// *car.last_mut().expect("it has bytes") ^= 1;
/// let refused = verify_proof(std::io::Cursor::new(car), &"com.example.note/a".parse()?, &keys);
/// assert!(matches!(refused, Err(ProofError::Car(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify_proof(
    file: impl ReadAt,
    path: &RecordPath,
    keys: &KeyHistory,
) -> Result<Proven, ProofError> {
    let mut shown = Shown::open(file)?;
    let root = shown.root()?;
    let commit = Commit::decode(&shown.require("the commit", root)?)?;
    if let Some(expected) = keys.did()
        && expected != commit.did()
    {
        let (expected, found) = (expected.clone(), commit.did().clone());
        return Err(ProofError::WrongDid { expected, found });
    }
    let signed_by = keys
        .verify(commit.rev(), &commit.signing_bytes(), commit.signature())
        .map_err(|source| ProofError::Signature { cid: commit.cid(), source })?
        .clone();
    let time_micros = commit.rev().and_then(|rev| keys.time_of(rev));
    let may_be_later = keys.may_be_later(commit.rev(), &signed_by);

    let key = path.to_string();
    let mut descent = Descent::new(commit.data(), key.as_bytes());
    let mut ends_above = None;
    while let Some(cid) = descent.due() {
        match shown.take(cid)? {
            Some(node) => descent.node(node.bytes())?,
            None if descent.is_decided() => {
                ends_above = Some(cid);
                break;
            }
            None => return Err(ProofError::Missing { what: "tree node", cid }),
        }
    }
    let record = match descent.value() {
        Some(cid) => Some(Record { path: path.clone(), block: shown.require("the record", cid)? }),
        None => None,
    };
    let (unneeded, one_unneeded) = shown.unused()?;
    let repeated = shown.car.duplicates();
    Ok(Proven {
        commit,
        signed_by,
        time_micros,
        may_be_later,
        record,
        ends_above,
        unneeded,
        one_unneeded,
        repeated,
    })
}

/// The file, and the numbers of its blocks that are part of the proof.
struct Shown<F> {
    car: CarFile<F>,
    used: HashSet<usize>,
}

impl<F: ReadAt> Shown<F> {
    /// Opens a file and hashes every block.
    fn open(file: F) -> Result<Self, ProofError> {
        let header = CarReader::new(FromStart::new(&file))?;
        // No hash covers the header, so it must have no other content.
        if let [root] = *header.roots()
            && header.offset() == CarWriter::new(std::io::sink(), &[root])?.bytes()
        {
            return Ok(Self { car: CarFile::open(file)?, used: HashSet::new() });
        }
        Err(ProofError::Header)
    }

    fn root(&self) -> Result<Cid, ProofError> {
        self.car.roots().first().copied().ok_or(ProofError::Header)
    }

    fn take(&mut self, cid: Cid) -> Result<Option<Block>, ProofError> {
        let Some((number, block)) = self.car.numbered(&cid)? else { return Ok(None) };
        self.used.insert(number);
        Ok(Some(block))
    }

    fn require(&mut self, what: &'static str, cid: Cid) -> Result<Block, ProofError> {
        self.take(cid)?.ok_or(ProofError::Missing { what, cid })
    }

    /// Returns the number of unused blocks, and one of them.
    fn unused(&self) -> Result<(u64, Option<Cid>), ProofError> {
        let first = (0..self.car.len()).find(|number| !self.used.contains(number));
        let cid = first.map(|number| self.car.cid(number)).transpose()?.flatten();
        Ok(((self.car.len() - self.used.len()) as u64, cid))
    }
}
