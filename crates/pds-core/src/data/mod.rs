//! Bytes that name themselves: CIDs, blocks, and the atproto data model in CBOR and in JSON.
//!
//! Vocabulary: a *CID* is the name of some bytes, made from their SHA-256; a *block* is bytes with
//! their CID; a *value* is what a record holds; a *link* is a CID inside a value; a *blob
//! reference* is a map that names a file kept outside the repository.
//!
//! Invariants kept here:
//!
//! - A [`Block`] always hashes to its [`Cid`]; it can be built no other way.
//! - What [`Value::decode`] accepts, [`Value::encode`] turns back into the same bytes.
//! - Every length, depth and count that comes from outside meets a constant of [`limits`] before
//!   anything is allocated for it.
//!
//! Tricky cases, each with a test of that name: map keys sort by length first; a link is 37 bytes
//! with a leading zero and nothing after it; `123.0` in JSON is the integer 123; a map with
//! `$link` beside another key is not a link but an error.

mod blob_ref;
mod block;
mod by_cid;
pub(crate) mod cbor;
mod check;
mod cid;
mod decode;
pub(crate) mod encode;
mod error;
mod json;
pub mod limits;
mod map;
mod overlay;
mod value;

pub use blob_ref::BlobRef;
pub use block::{Block, BlockRef, Blocks, MemoryBlocks, ReadError, get_all};
pub use block::{get_some, one_by_one};
pub use by_cid::ByCid;
pub use check::{RecordFacts, check_canonical, check_record, links};
pub use cid::{Cid, Codec};
pub use error::DataError;
pub use map::Map;
pub use overlay::Overlay;
pub use value::Value;
