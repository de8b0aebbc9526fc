//! What can be wrong with bytes.

use super::Cid;

/// Bytes or text that are not what they should be, with the place.
///
/// ```
/// use pds::data::{DataError, Value};
///
/// // A float in the second byte of a list.
/// assert!(matches!(Value::decode(&[0x81, 0xf9, 0, 0]), Err(DataError::Cbor { offset: 1, .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Text or bytes that are no CID of the kind used here.
    #[error("not a CID: {given}: {reason}")]
    Cid {
        /// What was given, cut to a bounded length; hexadecimal where it is not text.
        given: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// Bytes that do not hash to the CID they came with.
    #[error("the bytes hash to {found}")]
    HashMismatch {
        /// The CID they have.
        found: Cid,
    },
    /// CBOR that is not canonical, or holds what the data model does not have.
    #[error("byte {offset}: {reason}")]
    Cbor {
        /// Where, in bytes from the start of the block.
        offset: usize,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// JSON that is not JSON, or holds what the data model does not have.
    #[error("not data-model JSON: {0}")]
    Json(String),
    /// A well-formed value that breaks a rule of the data model.
    #[error("{place}: {reason}")]
    Model {
        /// Where, as keys and indexes from the top: `/embed/images/0`.
        place: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// More bytes than a limit allows.
    #[error("{bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
}
