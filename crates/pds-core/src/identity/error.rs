//! The errors of DID documents and did:plc operation logs.

use crate::crypto::curve::Curve;
use crate::crypto::error::CryptoError;
use crate::data::cid::Cid;
use crate::data::error::DataError;
use crate::syntax::did::Did;

/// The error for a document or a log that is not valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is not JSON, is too long, or has a duplicate key.
    #[error("cannot be parsed")]
    Json(#[from] DataError),
    /// The JSON is not a valid DID document.
    #[error("not a DID document: {reason}")]
    Document {
        /// The broken rule.
        reason: String,
    },
    /// The JSON is not an audit log of a did:plc directory.
    #[error("not a did:plc audit log: {reason}")]
    Log {
        /// The broken rule.
        reason: &'static str,
    },
    /// The JSON is not an operation of a did:plc account, or a directory would refuse it.
    #[error("not a did:plc operation: {0}")]
    NoOperation(#[from] OperationFault),
    /// The signer has failed.
    #[error("cannot sign the operation")]
    Signer(#[from] CryptoError),
    /// An operation of the log is not valid.
    #[error("operation {index} of the log: {fault}")]
    Operation {
        /// The index of the operation, from 0.
        index: usize,
        /// The fault of the operation.
        fault: OperationFault,
    },
}

/// A fault of one operation of a did:plc log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationFault {
    /// A field is missing or not valid.
    #[error("{field}: {reason}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The broken rule.
        reason: &'static str,
    },
    /// The operation is larger than the limit.
    #[error("{bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The number of bytes as DAG-CBOR.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The CID in the log is not the CID of the operation.
    #[error("its CID is {computed}, but the log states {stated}")]
    WrongCid {
        /// The CID in the log.
        stated: Cid,
        /// The computed CID.
        computed: Cid,
    },
    /// The operation belongs to another account.
    #[error("it belongs to {found}, but the log belongs to {expected}")]
    WrongDid {
        /// The account of the log.
        expected: Did,
        /// The account of the operation.
        found: Did,
    },
    /// The DID does not match the genesis operation.
    #[error("the genesis operation creates another account: {derived}")]
    NotTheGenesis {
        /// The DID derived from the hash of the operation.
        derived: String,
    },
    /// The `prev` of the operation is not an earlier operation that is still valid.
    #[error("its prev is not an earlier operation that is still valid")]
    NoPredecessor,
    /// The operation follows a tombstone.
    #[error("it follows the tombstone of the account")]
    AfterTombstone,
    /// The operation is older than the one before it in the log.
    #[error("it is older than the operation before it")]
    OutOfOrder,
    /// No permitted key signed the operation.
    #[error("it is not signed by a permitted rotation key")]
    Unsigned,
    /// A permitted key signed the operation, but the signature is not in the low-S form.
    #[error(
        "its {curve} signature is high-S; directories accepted that until 2025, and only low-S is valid"
    )]
    HighS {
        /// The curve of the key.
        curve: Curve,
    },
    /// The operation nullifies one that was signed by a key of equal or higher authority.
    #[error("it nullifies operation {disputed}, whose rotation key does not have lower authority")]
    NotMorePowerful {
        /// The first nullified operation.
        disputed: usize,
    },
    /// The operation nullifies another one after more than 72 hours.
    #[error("it nullifies operation {disputed} after more than 72 hours")]
    TooLate {
        /// The first nullified operation.
        disputed: usize,
    },
    /// The `nullified` flag in the log differs from the result of the rules.
    #[error("the log states that it {} nullified, but by the rules it {}", is(*stated), is(!*stated))]
    Nullified {
        /// The flag in the log.
        stated: bool,
    },
}

fn is(true_of: bool) -> &'static str {
    if true_of { "is" } else { "is not" }
}
