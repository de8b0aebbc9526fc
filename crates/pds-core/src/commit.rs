//! The commit: the signed root of a repository.
//!
//! Vocabulary: *data* is the root of the tree; *rev* is the TID that orders the commits; *prev* is
//! the parent commit; the *signature* covers the commit without its `sig` field. (Specification
//! "Repository", section "Commit Objects".)
//!
//! A commit keeps its bytes as they were received, and its signature is verified over exactly these
//! bytes. Unknown fields are therefore preserved and still covered by the signature.
//!
//! Version 3 is read and written. Version 2, whose early commits have no rev, is read. A version 3
//! commit without `prev` was once allowed and is read: [`Commit::deviations`] reports it.

use crate::commit_fields::{FieldFault, OrFault, data, did, prev, rev, signature, version};
use crate::crypto::error::CryptoError;
use crate::crypto::public_key::PublicKey;
use crate::crypto::signature::Signature;
use crate::crypto::signer::Signer;
use crate::data::block::Block;
use crate::data::cid::{Cid, Codec};
use crate::data::error::DataError;
use crate::data::value::{Map, Value};
use crate::syntax::did::Did;
use crate::syntax::tid::Tid;

/// A version 3 commit without its signature.
///
/// ```
/// use pds::commit::UnsignedCommit;
/// use pds::crypto::{Curve, Signer, SigningKey};
/// use pds::data::{Cid, Codec};
///
/// let key = SigningKey::generate(Curve::K256)?;
/// let unsigned = UnsignedCommit {
///     did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?,
///     data: Cid::of(Codec::Cbor, &pds::mst::EMPTY_NODE),
///     rev: "3jzfcijpj2z2a".parse()?,
///     prev: None,
/// };
/// let commit = unsigned.sign(&key)?;
/// commit.verify(&key.public_key())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedCommit {
    /// The DID of the account.
    pub did: Did,
    /// The root of the tree.
    pub data: Cid,
    /// The TID of the commit. A later commit has a greater rev.
    pub rev: Tid,
    /// The parent commit.
    pub prev: Option<Cid>,
}

impl UnsignedCommit {
    /// Returns the bytes that a signature covers.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        Value::Map(self.fields()).encode()
    }

    /// Signs the commit.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] if the signer fails, or if its result is not a valid signature by the key
    /// that it names.
    pub fn sign(self, signer: &dyn Signer) -> Result<Commit, CryptoError> {
        let bytes = self.signing_bytes();
        let signature = signer.sign(&bytes)?;
        if !signer.is_sound() {
            signer.public_key().verify(&bytes, &signature)?;
        }
        Ok(self.with_signature(signature))
    }

    /// Returns the commit with an existing signature, which is not verified.
    #[must_use]
    pub fn with_signature(self, signature: Signature) -> Commit {
        let mut fields = self.fields();
        fields.insert("sig", signature.as_bytes().as_slice());
        Commit {
            block: Block::new(Codec::Cbor, Value::Map(fields).encode()),
            did: self.did,
            version: 3,
            data: self.data,
            rev: Some(self.rev),
            prev: self.prev,
            signature,
            deviations: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn fields(&self) -> Map {
        [
            ("did", Value::from(self.did.as_str())),
            ("rev", Value::from(self.rev.to_string())),
            ("data", Value::Link(self.data)),
            ("prev", self.prev.map_or(Value::Null, Value::Link)),
            ("version", Value::Int(3)),
        ]
        .into_iter()
        .collect()
    }
}

/// A signed commit, with its bytes as they were received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    block: Block,
    did: Did,
    version: u8,
    data: Cid,
    rev: Option<Tid>,
    prev: Option<Cid>,
    signature: Signature,
    deviations: Vec<Deviation>,
    faults: Vec<FieldFault>,
}

/// A deviation that is accepted in a commit, but that this library never writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// The old format.
    Version2,
    /// A version 3 commit without a `prev` field.
    PrevMissing,
    /// A field that the specification does not define. The signature covers it.
    UnknownField(String),
}

/// The error for a block that is not a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The bytes are not canonical DAG-CBOR.
    #[error("commit {cid} cannot be decoded")]
    Undecodable {
        /// The block.
        cid: Cid,
        /// The problem, with its byte offset.
        #[source]
        source: DataError,
    },
    /// The block is not a commit.
    #[error("block {cid} is not a commit")]
    NotACommit {
        /// The block.
        cid: Cid,
    },
    /// A field is missing or not valid.
    #[error("commit {cid}: {field}: {reason}")]
    Field {
        /// The block.
        cid: Cid,
        /// The field.
        field: &'static str,
        /// The broken rule.
        reason: &'static str,
    },
}

impl Commit {
    /// Decodes a commit from its block.
    ///
    /// # Errors
    ///
    /// [`CommitError`] with the field that is not valid.
    pub fn decode(block: &Block) -> Result<Self, CommitError> {
        let commit = Self::decode_with_faults(block)?;
        match commit.faults.first() {
            Some(&FieldFault { field, reason }) => {
                Err(CommitError::Field { cid: block.cid(), field, reason })
            }
            None => Ok(commit),
        }
    }

    /// Decodes a commit from its block, also if fields other than `data` are malformed. [`faults`](Self::faults) lists
    /// these fields.
    ///
    /// A malformed rev or `prev` reads as `None`, a malformed DID is not known, a malformed version as 0 unless it
    /// is a small number, and a malformed signature as zeros, which no key verifies. Such a commit is good for reading
    /// its records, and must not be admitted to a store.
    ///
    /// # Errors
    ///
    /// [`CommitError`] if the block is not a commit, or does not name a tree.
    pub fn decode_with_faults(block: &Block) -> Result<Self, CommitError> {
        let cid = block.cid();
        let value = Value::decode(block.bytes())
            .map_err(|source| CommitError::Undecodable { cid, source })?;
        let fields = match value {
            Value::Map(fields) if cid.codec() == Codec::Cbor => fields,
            _ => return Err(CommitError::NotACommit { cid }),
        };
        if fields.get("data").is_none() && fields.get("sig").is_none() {
            return Err(CommitError::NotACommit { cid });
        }
        Self::from_fields(block, &fields)
            .map_err(|FieldFault { field, reason }| CommitError::Field { cid, field, reason })
    }

    /// Returns the block: the exact bytes and the CID.
    #[must_use]
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Returns the CID of the commit.
    #[must_use]
    pub fn cid(&self) -> Cid {
        self.block.cid()
    }

    /// Returns the DID of the account. If it is malformed, the result names no account, and must not be shown; see
    /// [`known_did`](Self::known_did).
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Returns the DID of the account, or `None` if it is malformed.
    #[must_use]
    pub fn known_did(&self) -> Option<&Did> {
        self.is_well_formed("did").then_some(&self.did)
    }

    /// Returns the version, 3 or 2.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// Returns the root of the tree.
    #[must_use]
    pub fn data(&self) -> Cid {
        self.data
    }

    /// Returns the rev. Early version 2 commits have none.
    #[must_use]
    pub fn rev(&self) -> Option<Tid> {
        self.rev
    }

    /// Returns the parent commit that this commit names.
    #[must_use]
    pub fn prev(&self) -> Option<Cid> {
        self.prev
    }

    /// Returns the signature.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Returns the deviations of the commit from the current format.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Returns the malformed fields. A commit from [`decode`](Self::decode) has none.
    #[must_use]
    pub fn faults(&self) -> &[FieldFault] {
        &self.faults
    }

    /// Returns whether a field is well-formed.
    #[must_use]
    pub fn is_well_formed(&self, field: &str) -> bool {
        self.faults.iter().all(|fault| fault.field != field)
    }

    /// Verifies the signature.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] if this is not a valid low-S signature by this key over these bytes.
    pub fn verify(&self, key: &PublicKey) -> Result<(), CryptoError> {
        key.verify(&self.signing_bytes(), &self.signature)
    }

    /// Returns the bytes that the signature covers: the received bytes without the field `sig`.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut value = Value::decode(self.block.bytes())
            .expect("the bytes were decoded when the commit was made");
        if let Value::Map(fields) = &mut value {
            fields.remove("sig");
        }
        value.encode()
    }

    fn from_fields(block: &Block, fields: &Map) -> Result<Self, FieldFault> {
        let mut faults = Vec::new();
        let version = version(fields).or_fault(&mut faults, "version").unwrap_or_else(|| {
            let number = fields.get("version").and_then(Value::as_int);
            number.and_then(|number| u8::try_from(number).ok()).unwrap_or_default()
        });
        let did = did(fields).or_fault(&mut faults, "did");
        let did = did.unwrap_or_else(|| UNKNOWN_DID.parse().expect("the constant is a DID"));
        let data = data(fields).map_err(|reason| FieldFault { field: "data", reason })?;
        let rev = rev(fields, version).or_fault(&mut faults, "rev").flatten();
        let prev = prev(fields).or_fault(&mut faults, "prev").flatten();
        let signature = signature(fields).or_fault(&mut faults, "sig");
        let signature = signature.unwrap_or_else(Signature::zero);
        let mut deviations = Vec::new();
        if version == 2 {
            deviations.push(Deviation::Version2);
        }
        if fields.get("prev").is_none() {
            deviations.push(Deviation::PrevMissing);
        }
        let unknown = fields.keys().filter(|key| !FIELDS.contains(key)).take(MAX_NAMED_FIELDS);
        deviations
            .extend(unknown.map(|key| Deviation::UnknownField(key.chars().take(64).collect())));
        let block = block.clone();
        Ok(Self { block, did, version, data, rev, prev, signature, deviations, faults })
    }
}

/// The internal account of a commit whose DID is malformed.
const UNKNOWN_DID: &str = "did:unknown:malformed";

const FIELDS: [&str; 6] = ["did", "rev", "sig", "data", "prev", "version"];

/// The maximum number of unknown fields that are reported; a block may contain many.
const MAX_NAMED_FIELDS: usize = 8;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
