//! Proofs: the fewest blocks that show, to whoever knows the key of an account, that it has a record
//! or has none.

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

/// What shows that a repository has a record, or that it has none at a path.
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
/// // Elsewhere, knowing only the file and the key of the account:
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

/// What a proof has shown.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let path = "com.example.note/a".parse()?;
/// # let mut car = Vec::new();
/// # repo.snapshot()?.prove(&path)?.write_car(&mut car)?;
/// # let keys = repo.public_key()?.expect("it was just made").into();
/// let proven = pds::transfer::prove::verify_proof(&car[..], &path, &keys)?;
/// assert_eq!(proven.commit.did().as_str(), "did:web:example.com");
/// assert!(proven.record.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proven {
    /// The signed statement that all of it rests on: whose repository, and when.
    pub commit: Commit,
    /// The key that signed it, and its time.
    pub signed_by: KeyPeriod,
    /// The record; `None` where it has been shown that there is none.
    pub record: Option<Record>,
}

/// A proof that shows nothing.
///
/// ```
/// use pds::crypto::{Curve, SigningKey};
/// use pds::transfer::prove::{verify_proof, ProofError};
///
/// let keys = SigningKey::generate(Curve::K256)?.public_key().into();
/// let refused = verify_proof(&b""[..], &"com.example.note/a".parse()?, &keys);
/// assert!(matches!(refused, Err(ProofError::Car(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The file cannot be read, or a block in it is damaged.
    #[error(transparent)]
    Car(#[from] CarError),
    /// The header does not name the commit, and it alone.
    #[error("the header of a proof names one root, the commit, and holds nothing else")]
    Header,
    /// More, or larger, than any proof.
    #[error("byte {offset}: more than a proof can have")]
    TooLarge {
        /// Where in the file.
        offset: u64,
    },
    /// A block stands in the file a second time.
    #[error("byte {offset}: block {cid} stands in the file before")]
    Repeated {
        /// Which block.
        cid: Cid,
        /// Where in the file.
        offset: u64,
    },
    /// A block that is needed is not in the file.
    #[error("{what} {cid} is missing")]
    Missing {
        /// What it is.
        what: &'static str,
        /// Which block.
        cid: Cid,
    },
    /// A block in the file is not needed: it may be a proof of something else.
    #[error("block {cid} has no part in this proof")]
    Unneeded {
        /// Which block.
        cid: Cid,
    },
    /// The root is no commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A node breaks a rule of the tree.
    #[error(transparent)]
    Mst(#[from] MstError),
    /// It is about another account.
    #[error("it is about {found}, the key is of {expected}")]
    WrongDid {
        /// Whose key was given.
        expected: Did,
        /// Whose repository it is.
        found: Did,
    },
    /// The commit is not signed by the account.
    #[error("commit {cid}: {source}")]
    Signature {
        /// The commit.
        cid: Cid,
        /// Why not.
        #[source]
        source: KeyError,
    },
}

impl Snapshot {
    /// Collects what shows that there is a record at a path, or that there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Mst`] when the tree cannot be read, [`Error::RecordMissing`] when the record is not
    /// there.
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
    /// Returns the record; `None` where the proof is that there is none.
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
        // No two are equal: the hash of each block covers the CID of the next.
        let record = self.record.iter().map(|record| &record.block);
        std::iter::once(self.commit.block()).chain(&self.nodes).chain(record)
    }

    /// Writes the blocks as a CAR file, the commit as its root.
    ///
    /// # Errors
    ///
    /// [`Error::Car`] when it cannot be written.
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

/// Checks a proof, given as a CAR file, that the account of some keys has a record at a path or has
/// none.
///
/// Nothing but the file and the keys is looked at. Every block is hashed; the commit must be signed by
/// the key that was valid at its rev, and be of that account if the keys say whose they are; the file
/// must hold each block that is needed, once, and no other one, in any order. (Specification
/// "Repository", "Security Considerations"; "Sync", "Inclusion and exclusion proofs".)
///
/// # Errors
///
/// [`ProofError`] with what is wrong. [`ProofError::Car`] with [`CarError::Header`] where it is no
/// CAR file at all.
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

/// What stands in the file and has not been used yet.
struct Shown {
    root: Cid,
    blocks: HashMap<Cid, Block>,
}

impl Shown {
    fn read(car: impl Read) -> Result<Self, ProofError> {
        let mut car = CarReader::new(car)?;
        let [root] = *car.roots() else { return Err(ProofError::Header) };
        // No hash covers what else a header may hold.
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
