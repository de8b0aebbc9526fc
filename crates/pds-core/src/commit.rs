//! The commit: the signed statement of what a repository holds.
//!
//! Vocabulary: *data* is the root of the tree; *rev* is the commit's place in time, a TID; *prev*
//! is the commit it was made from; the *signature* covers the commit without its `sig` field.
//! (Specification "Repository", section "Commit Objects".)
//!
//! The bytes of a commit are kept as they were received, and the signature is checked over exactly
//! those bytes, so that fields this library does not know survive and stay covered.
//!
//! Version 3 is read and written. Version 2, which has no rev at first, is read. A version 3 commit
//! whose `prev` is missing was once allowed and is read; [`Commit::deviations`] says so.

use crate::crypto::{CryptoError, PublicKey, Signature, Signer};
use crate::data::{Block, Cid, Codec, DataError, Map, Value};
use crate::syntax::{Did, Tid};

/// A version 3 commit that is still to be signed.
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
    /// The account.
    pub did: Did,
    /// The root of the tree.
    pub data: Cid,
    /// The place in time; later commits have greater ones.
    pub rev: Tid,
    /// The commit this one was made from.
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
    /// [`CryptoError`] when the signer fails, or when what it makes is not a valid signature by the key that it names.
    pub fn sign(self, signer: &dyn Signer) -> Result<Commit, CryptoError> {
        let bytes = self.signing_bytes();
        let signature = signer.sign(&bytes)?;
        if !signer.is_sound() {
            signer.public_key().verify(&bytes, &signature)?;
        }
        Ok(self.with_signature(signature))
    }

    /// Makes the commit with a signature that was made elsewhere; it is not checked here.
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

/// A signed commit, with the bytes it came in.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let commit = repo.snapshot()?.commit().clone();
/// assert_eq!((commit.version(), commit.prev()), (3, None));
/// commit.verify(&repo.public_key()?.expect("it was just made"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
}

/// Something about a commit that is read, but that no commit written here has.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// // Nothing written here deviates.
/// assert!(repo.snapshot()?.commit().deviations().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// The old format.
    Version2,
    /// A version 3 commit without a `prev` field.
    PrevMissing,
    /// A field that the specification does not name; the signature covers it.
    UnknownField(String),
}

/// A block that is no commit.
///
/// ```
/// use pds::commit::{Commit, CommitError};
/// use pds::data::{Block, Codec};
///
/// let empty = Block::new(Codec::Cbor, *b"\xa0");
/// assert!(matches!(Commit::decode(&empty), Err(CommitError::NotACommit { .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The bytes are not canonical DAG-CBOR.
    #[error("commit {cid} cannot be decoded")]
    Undecodable {
        /// The block.
        cid: Cid,
        /// What is wrong, with the byte offset.
        #[source]
        source: DataError,
    },
    /// The block is something else than a commit.
    #[error("block {cid} is not a commit")]
    NotACommit {
        /// The block.
        cid: Cid,
    },
    /// A field is missing or not what it must be.
    #[error("commit {cid}: {field}: {reason}")]
    Field {
        /// The block.
        cid: Cid,
        /// The field.
        field: &'static str,
        /// Which rule it breaks.
        reason: &'static str,
    },
}

impl Commit {
    /// Reads a commit from its block.
    ///
    /// # Errors
    ///
    /// [`CommitError`] with the field that is wrong.
    pub fn decode(block: &Block) -> Result<Self, CommitError> {
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
        Self::from_fields(block, &fields).map_err(|(field, reason)| CommitError::Field {
            cid,
            field,
            reason,
        })
    }

    /// Returns the block: the exact bytes, and the CID.
    #[must_use]
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Returns the CID of the commit.
    #[must_use]
    pub fn cid(&self) -> Cid {
        self.block.cid()
    }

    /// Returns the account.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.did
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

    /// Returns the place in time; early version 2 commits have none.
    #[must_use]
    pub fn rev(&self) -> Option<Tid> {
        self.rev
    }

    /// Returns the commit that this one names as the one before it.
    #[must_use]
    pub fn prev(&self) -> Option<Cid> {
        self.prev
    }

    /// Returns the signature.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Returns what is unusual about the commit.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Checks the signature.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when it is not a valid low-S signature by this key over these bytes.
    pub fn verify(&self, key: &PublicKey) -> Result<(), CryptoError> {
        key.verify(&self.signing_bytes(), &self.signature)
    }

    /// Returns the bytes that the signature covers: those received, without the field `sig`.
    #[must_use]
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut value = Value::decode(self.block.bytes())
            .expect("the bytes were decoded when the commit was made");
        if let Value::Map(fields) = &mut value {
            fields.remove("sig");
        }
        value.encode()
    }

    fn from_fields(block: &Block, fields: &Map) -> Result<Self, (&'static str, &'static str)> {
        let version = match fields.get("version") {
            Some(Value::Int(3)) => 3,
            Some(Value::Int(2)) => 2,
            Some(Value::Int(_)) => return Err(("version", "not 3, and not 2 either")),
            Some(_) => return Err(("version", "not a number")),
            None => return Err(("version", "missing")),
        };
        let did = text(fields, "did")?.ok_or(("did", "missing"))?;
        let did: Did = did.parse().map_err(|_| ("did", "not a DID"))?;
        let data = match fields.get("data") {
            Some(Value::Link(cid)) if cid.codec() == Codec::Cbor => *cid,
            Some(Value::Link(_)) => return Err(("data", "a link to raw bytes, not to a tree")),
            Some(_) => return Err(("data", "not a link")),
            None => return Err(("data", "missing")),
        };
        let rev = match text(fields, "rev")? {
            Some(rev) => Some(rev.parse().map_err(|_| ("rev", "not a TID"))?),
            None if version == 2 => None,
            None => return Err(("rev", "missing")),
        };
        let mut deviations = Vec::new();
        if version == 2 {
            deviations.push(Deviation::Version2);
        }
        let prev = match fields.get("prev") {
            Some(Value::Link(cid)) if cid.codec() == Codec::Cbor => Some(*cid),
            Some(Value::Null) => None,
            None => {
                deviations.push(Deviation::PrevMissing);
                None
            }
            Some(_) => return Err(("prev", "neither null nor a link to a commit")),
        };
        let signature = match fields.get("sig") {
            Some(Value::Bytes(bytes)) => {
                Signature::from_bytes(bytes).map_err(|_| ("sig", "not 64 bytes"))?
            }
            Some(_) => return Err(("sig", "not bytes")),
            None => return Err(("sig", "missing")),
        };
        let unknown = fields.keys().filter(|key| !FIELDS.contains(key)).take(MAX_NAMED_FIELDS);
        deviations
            .extend(unknown.map(|key| Deviation::UnknownField(key.chars().take(64).collect())));
        Ok(Self { block: block.clone(), did, version, data, rev, prev, signature, deviations })
    }
}

fn text<'m>(
    fields: &'m Map,
    field: &'static str,
) -> Result<Option<&'m str>, (&'static str, &'static str)> {
    match fields.get(field) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err((field, "not text")),
    }
}

const FIELDS: [&str; 6] = ["did", "rev", "sig", "data", "prev", "version"];

/// How many unknown fields are named; a block may hold many.
const MAX_NAMED_FIELDS: usize = 8;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypto::{Curve, SigningKey};

    fn unsigned() -> UnsignedCommit {
        UnsignedCommit {
            did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap(),
            data: Cid::of(Codec::Cbor, b"data"),
            rev: "3jzfcijpj2z2a".parse().unwrap(),
            prev: Some(Cid::of(Codec::Cbor, b"prev")),
        }
    }

    /// A commit with some fields changed, signed over what it then says.
    fn changed(key: &SigningKey, change: impl Fn(&mut Map)) -> Result<Commit, CommitError> {
        let mut fields = unsigned().fields();
        change(&mut fields);
        let signature = key.sign(&Value::Map(fields.clone()).encode()).unwrap();
        if fields.get("sig").is_none() {
            fields.insert("sig", signature.as_bytes().as_slice());
        }
        Commit::decode(&Block::new(Codec::Cbor, Value::Map(fields).encode()))
    }

    #[test]
    fn what_is_signed_reads_back_and_verifies() {
        for curve in [Curve::K256, Curve::P256] {
            let key = SigningKey::generate(curve).unwrap();
            let commit = unsigned().sign(&key).unwrap();
            let read = Commit::decode(commit.block()).unwrap();
            assert_eq!(read, commit);
            assert_eq!(read.signing_bytes(), unsigned().signing_bytes());
            read.verify(&key.public_key()).unwrap();
            assert!(read.verify(&SigningKey::generate(curve).unwrap().public_key()).is_err());
        }
    }

    #[test]
    fn unknown_fields_stay_and_stay_covered() {
        let key = SigningKey::generate(Curve::K256).unwrap();
        let commit = changed(&key, |fields| {
            fields.insert("extra", 1);
        })
        .unwrap();
        commit.verify(&key.public_key()).unwrap();
        assert_eq!(commit.deviations(), [Deviation::UnknownField("extra".to_owned())]);
    }

    #[test]
    fn each_field_must_be_what_it_is() {
        let key = SigningKey::generate(Curve::K256).unwrap();
        let field_of = |change: &dyn Fn(&mut Map)| match changed(&key, change) {
            Err(CommitError::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        for field in ["did", "rev", "data", "version"] {
            assert_eq!(field_of(&|fields| drop(fields.remove(field))), field);
        }
        for field in FIELDS {
            assert_eq!(field_of(&|fields| drop(fields.insert(field, "no"))), field);
        }
        let raw = Cid::of(Codec::Raw, b"x");
        assert_eq!(field_of(&|fields| drop(fields.insert("data", raw))), "data");
        assert_eq!(field_of(&|fields| drop(fields.insert("sig", vec![0; 65]))), "sig");
        assert_eq!(field_of(&|fields| drop(fields.insert("version", 4))), "version");
        let without_prev = changed(&key, |fields| drop(fields.remove("prev"))).unwrap();
        assert_eq!(without_prev.deviations(), [Deviation::PrevMissing]);
    }

    #[test]
    fn version_2_is_read_with_and_without_rev() {
        let key = SigningKey::generate(Curve::P256).unwrap();
        for has_rev in [true, false] {
            let commit = changed(&key, |fields| {
                fields.insert("version", 2);
                if !has_rev {
                    fields.remove("rev");
                }
            })
            .unwrap();
            assert_eq!((commit.version(), commit.rev().is_some()), (2, has_rev));
            commit.verify(&key.public_key()).unwrap();
        }
    }
}
