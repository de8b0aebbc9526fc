//! Names: one type for each kind of identifier that the protocol writes as text, parsed once. A value of
//! such a type is always valid.
//!
//! # Vocabulary
//!
//! - A [`Did`] is the permanent name of an account. A [`Handle`] is its current domain name. An
//!   [`AtIdentifier`] is either of the two.
//! - An [`Nsid`] names a kind of record. As a part of a path it is called a *collection*.
//! - A [`RecordKey`] (*rkey*) names one record in a collection. Most record keys are [`Tid`]s:
//!   timestamps whose text sorts by age.
//! - A [`RecordPath`] is `collection/rkey`, the key of a record in the tree of a repository.
//! - An [`AtUri`] is the global address of an account, a collection or a record.
//! - [`Datetime`], [`Language`], [`Uri`] and [`CidText`] are the remaining string formats that
//!   record schemas use.
//!
//! # Invariants
//!
//! - A value exists only if its text is valid. Parsing is the only public constructor, and values
//!   are immutable. (The fields of `RecordPath` can be replaced by other valid values.)
//! - The text is kept unchanged: nothing is trimmed, folded or normalized. Two spellings with the
//!   same normal form are different values.
//! - The order of values is the byte order of their texts, so that sorted names are in tree order.
//!   For a [`Tid`] this is also the order of its integers.
//! - Every check is bounded: it refuses text over the limit of its kind before it reads the text.
//!   No check recurses or panics.
//! - Valid text is ASCII, so its length in bytes is its length in characters.
//!
//! ```
//! use pds::syntax::{AtUri, Did, RecordPath};
//!
//! let did: Did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?;
//! let path: RecordPath = "app.bsky.feed.post/3jzfcijpj2z2a".parse()?;
//! let uri = AtUri::record(&did, &path);
//! assert_eq!(
//!     uri.as_str(),
//!     "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a"
//! );
//! # Ok::<(), pds::syntax::SyntaxError>(())
//! ```
//!
//! [`AtIdentifier`]: at_uri::AtIdentifier
//! [`AtUri`]: at_uri::AtUri
//! [`CidText`]: cid_text::CidText
//! [`Datetime`]: datetime::Datetime
//! [`Did`]: did::Did
//! [`Handle`]: handle::Handle
//! [`Language`]: language::Language
//! [`Nsid`]: nsid::Nsid
//! [`RecordKey`]: record_key::RecordKey
//! [`RecordPath`]: record_path::RecordPath
//! [`Tid`]: tid::Tid
//! [`Uri`]: uri::Uri

#[macro_use]
mod text;

pub mod at_uri;
pub mod cid_text;
pub mod datetime;
pub mod did;
pub mod error;
pub mod handle;
pub(crate) mod label;
pub mod language;
pub mod nsid;
pub mod record_key;
pub mod record_path;
pub mod tid;
pub mod uri;
