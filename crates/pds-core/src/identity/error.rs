//! What can be wrong with what says who may sign.

use crate::data::{Cid, DataError};
use crate::syntax::Did;

/// A document or a log that cannot be relied on.
///
/// ```
/// use pds::identity::{IdentityError, PlcLog};
///
/// assert!(matches!(PlcLog::parse("[]"), Err(IdentityError::Log { .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is no JSON, is too long, or repeats a key.
    #[error("cannot be read")]
    Json(#[from] DataError),
    /// The JSON is no DID document that can be used.
    #[error("not a DID document: {reason}")]
    Document {
        /// Which rule it breaks.
        reason: String,
    },
    /// The JSON is no audit log of a did:plc directory.
    #[error("not a did:plc audit log: {reason}")]
    Log {
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// An operation of the log is not valid.
    #[error("operation {index} of the log: {fault}")]
    Operation {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        fault: OperationFault,
    },
}

/// What is wrong with one operation of a did:plc log.
///
/// ```
/// use pds::identity::OperationFault;
///
/// let fault = OperationFault::Unsigned;
/// assert_eq!(fault.to_string(), "no rotation key that may sign it has signed it");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationFault {
    /// A field is missing or not what it must be.
    #[error("{field}: {reason}")]
    Field {
        /// Which one.
        field: &'static str,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// It is larger than operations may be.
    #[error("{bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// How many there are, as DAG-CBOR.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The log gives another CID than the operation has.
    #[error("the log calls it {stated}, it is {computed}")]
    WrongCid {
        /// What the log says.
        stated: Cid,
        /// What it is.
        computed: Cid,
    },
    /// It belongs to another account.
    #[error("it is of {found}, the log is of {expected}")]
    WrongDid {
        /// Whose log it is.
        expected: Did,
        /// Whose operation it is.
        found: Did,
    },
    /// The DID is not the one that follows from the genesis operation.
    #[error("the account that it creates is {derived}")]
    NotTheGenesis {
        /// The DID made of the hash of the operation.
        derived: String,
    },
    /// It does not follow on an operation that counts.
    #[error("its prev is no operation before it that still counts")]
    NoPredecessor,
    /// It follows on a tombstone.
    #[error("it follows on the end of the account")]
    AfterTombstone,
    /// It is older than the one before it in the log.
    #[error("it was made before the operation that stands before it")]
    OutOfOrder,
    /// The signature is by none of the keys that may sign.
    #[error("no rotation key that may sign it has signed it")]
    Unsigned,
    /// It nullifies an operation of a key that is as powerful, or more.
    #[error("it undoes operation {disputed}, whose rotation key is not less powerful")]
    NotMorePowerful {
        /// The first operation that it would undo.
        disputed: usize,
    },
    /// It nullifies an operation after more than 72 hours.
    #[error("it undoes operation {disputed} after more than 72 hours")]
    TooLate {
        /// The first operation that it would undo.
        disputed: usize,
    },
    /// The log says that it is nullified and it is not, or the other way round.
    #[error("the log says that it {} nullified, and by the rules it {}", is(*stated), is(!*stated))]
    Nullified {
        /// What the log says.
        stated: bool,
    },
}

fn is(true_of: bool) -> &'static str {
    if true_of { "is" } else { "is not" }
}
