//! Proofs: the fewest blocks that show the presence or absence of a record, to a reader with the key of the
//! account.

use std::collections::HashMap;
use std::io::{Read, Write};

use crate::error::{Error, Result};
use crate::snapshot::{Record, Snapshot};
use crate::transfer::export::Exported;
use pds_core::car::error::CarError;
use pds_core::car::read::CarReader;
use pds_core::car::write::CarWriter;
use pds_core::commit::{Commit, CommitError};
use pds_core::data::block::Block;
use pds_core::data::cid::Cid;
use pds_core::data::limits::{MAX_PROOF_BLOCKS, MAX_PROOF_BYTES};
use pds_core::identity::key_history::{KeyError, KeyHistory, KeyPeriod};
use pds_core::mst::error::MstError;
use pds_core::mst::proof::Descent;
use pds_core::syntax::did::Did;
use pds_core::syntax::record_path::RecordPath;

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
/// let proven = verify_proof(&car[..], &path, &keys)?;
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
    /// The record, or `None` if the proof shows its absence.
    pub record: Option<Record>,
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
    /// The file exceeds the size or the number of blocks of any proof.
    #[error("byte {offset}: the file is larger than any proof")]
    TooLarge {
        /// The offset in the file.
        offset: u64,
    },
    /// The file contains a block twice.
    #[error("byte {offset}: block {cid} is in the file twice")]
    Repeated {
        /// The block.
        cid: Cid,
        /// The offset in the file.
        offset: u64,
    },
    /// A required block is missing from the file.
    #[error("{what} {cid} is missing")]
    Missing {
        /// The kind of the block.
        what: &'static str,
        /// The block.
        cid: Cid,
    },
    /// The file contains a block that is not part of the proof.
    #[error("block {cid} is not part of this proof")]
    Unneeded {
        /// The block.
        cid: Cid,
    },
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
    pub fn prove(&self, path: &RecordPath) -> Result<Proof> {
        let key = path.to_string();
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
/// - The commit must be signed by the key that was valid at its rev.
/// - The commit must belong to the account of the keys, if the keys name it.
/// - The file must contain exactly the required blocks, each once, in any order.
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
/// let refused = verify_proof(&car[..], &"com.example.note/a".parse()?, &keys);
/// assert!(matches!(refused, Err(ProofError::Car(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify_proof(
    car: impl Read,
    path: &RecordPath,
    keys: &KeyHistory,
) -> Result<Proven, ProofError> {
    let mut shown = Shown::read(car)?;
    let commit = Commit::decode(&shown.take("the commit", shown.root)?)?;
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

    let key = path.to_string();
    let mut descent = Descent::new(commit.data(), key.as_bytes());
    while let Some(cid) = descent.due() {
        descent.node(shown.take("tree node", cid)?.bytes())?;
    }
    let record = match descent.value() {
        Some(cid) => Some(Record { path: path.clone(), block: shown.take("the record", cid)? }),
        None => None,
    };
    if let Some(cid) = shown.blocks.keys().min() {
        return Err(ProofError::Unneeded { cid: *cid });
    }
    Ok(Proven { commit, signed_by, record })
}

/// The unused blocks of the file.
struct Shown {
    root: Cid,
    blocks: HashMap<Cid, Block>,
}

impl Shown {
    fn read(car: impl Read) -> Result<Self, ProofError> {
        let mut car = CarReader::new(car)?;
        let [root] = *car.roots() else { return Err(ProofError::Header) };
        // No hash covers the header, so it must have no other content.
        if car.offset() != CarWriter::new(std::io::sink(), &[root])?.bytes() {
            return Err(ProofError::Header);
        }
        let mut blocks = HashMap::new();
        let mut bytes = 0;
        while let Some(section) = car.next_section()? {
            let (offset, block) = (section.offset, section.block.to_block());
            bytes += block.bytes().len();
            if blocks.len() == MAX_PROOF_BLOCKS || bytes > MAX_PROOF_BYTES {
                return Err(ProofError::TooLarge { offset });
            }
            let cid = block.cid();
            if blocks.insert(cid, block).is_some() {
                return Err(ProofError::Repeated { cid, offset });
            }
        }
        Ok(Self { root, blocks })
    }

    fn take(&mut self, what: &'static str, cid: Cid) -> Result<Block, ProofError> {
        self.blocks.remove(&cid).ok_or(ProofError::Missing { what, cid })
    }
}
