//! The error type of this module.

use crate::data::cid::Cid;

/// The error for invalid bytes or text, with the place of the problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Text or bytes that are not a supported CID.
    #[error("not a CID: {given}: {reason}")]
    Cid {
        /// The input, cut to a bounded length. It is in hexadecimal if it is not text.
        given: String,
        /// The broken rule.
        reason: &'static str,
    },
    /// Bytes that do not match the CID they came with.
    #[error("the bytes hash to {found}")]
    HashMismatch {
        /// The CID that the bytes have.
        found: Cid,
    },
    /// CBOR that is not canonical, or contains an item that the data model does not have.
    #[error("byte {offset}: {reason}")]
    Cbor {
        /// The place, in bytes from the start of the block.
        offset: usize,
        /// The broken rule.
        reason: &'static str,
    },
    /// Invalid JSON, or JSON with a value that the data model does not have.
    #[error("not data-model JSON: {0}")]
    Json(String),
    /// A type of the caller that has no value in the data model, or a value that does not fit the type.
    #[error("{0}")]
    Type(String),
    /// A well-formed value that breaks a rule of the data model.
    #[error("{place}: {reason}")]
    Model {
        /// The place, as keys and indexes from the top: `/embed/images/0`.
        place: String,
        /// The broken rule.
        reason: &'static str,
    },
    /// Bytes above a size limit.
    #[error("{bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The number of bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}
