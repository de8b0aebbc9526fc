//! Content-addressed data: CIDs, blocks, and the atproto data model in CBOR and in JSON.
//!
//! Vocabulary:
//!
//! - A *CID* is the name of bytes, computed from their SHA-256.
//! - A *block* is bytes with their CID.
//! - A *value* is the content of a record.
//! - A *link* is a CID inside a value.
//! - A *blob reference* is a map that names a file outside the repository.
//!
//! Invariants:
//!
//! - The bytes of a [`Block`] always match its [`Cid`]: every constructor checks or computes it.
//! - [`Value::encode`] returns the same bytes that [`Value::decode`] accepted.
//! - Every external length, depth and count is checked against a constant of [`limits`] before
//!   memory is allocated for it.
//!
//! Tricky cases, each with a test:
//!
//! - Map keys sort by length first.
//! - A link is 37 bytes with a leading zero, and no byte follows.
//! - `123.0` in JSON is the integer 123.
//! - A map with `$link` and another key is an error, not a link.
//!
//! [`Block`]: block::Block
//! [`Cid`]: cid::Cid
//! [`Value::decode`]: value::Value::decode
//! [`Value::encode`]: value::Value::encode

pub mod blob_ref;
pub mod block;
pub mod block_kind;
pub(crate) mod cbor;
pub mod cid;
pub mod cid_hasher;
mod cid_parse;
pub(crate) mod decode;
pub(crate) mod encode;
pub mod error;
pub(crate) mod json;
pub mod limits;
pub mod overlay;
pub mod record_check;
mod typed;
mod typed_read;
pub mod value;
