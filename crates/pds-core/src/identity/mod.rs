//! The identity of accounts: the keys that may sign for them and since when, from DID documents and
//! did:plc operation logs.
//!
//! Vocabulary:
//!
//! - A *DID document* names the current signing key of an account, its host and its handles.
//! - An *operation log* is the history of a did:plc account. Its *genesis* is the first operation,
//!   and the DID is derived from the hash of the genesis.
//! - A *rotation key* signs operations; the *signing key* signs commits.
//! - A *tombstone* ends an account.
//! - A *recovery* is an operation that nullifies operations of less powerful rotation keys.
//! - An operation that is made here is an [`UnsignedPlcOperation`] first. It is checked, and then signed.
//! - A [`KeyHistory`] is the result of either source: keys, and the periods in which they were
//!   valid.
//!
//! Invariants:
//!
//! - A [`PlcLog`] exists only if every operation of it was verified: its CID, its link to the
//!   operation before, its signature by a rotation key of that operation, the rules of recovery,
//!   and the DID.
//! - This module does no networking: documents and logs are passed in as text.
//!
//! Limits: the times in a log are claims of the directory, and the rev of a commit is a claim of
//! its signer. A thief of an old key can sign commits that claim to be from the key's period.
//!
//! Rules: <https://web.plc.directory/spec/v0.1/did-plc>, <https://atproto.com/specs/did>.
//!
//! ```
//! use pds::identity::DidDocument;
//!
//! let document = DidDocument::parse(
//!     r##"{"id": "did:web:example.com", "verificationMethod": [{
//!         "id": "did:web:example.com#atproto", "type": "Multikey",
//!         "controller": "did:web:example.com",
//!         "publicKeyMultibase": "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"
//!     }]}"##,
//! )?;
//! assert!(document.signing_key().is_some());
//! # Ok::<(), pds::identity::IdentityError>(())
//! ```
//!
//! [`KeyHistory`]: key_history::KeyHistory
//! [`PlcLog`]: plc_log::PlcLog
//! [`UnsignedPlcOperation`]: unsigned_operation::UnsignedPlcOperation

pub mod did_document;
pub mod error;
pub mod key_history;
pub(crate) mod origin;
pub mod plc_data;
pub mod plc_log;
pub mod plc_operation;
pub mod unsigned_operation;
