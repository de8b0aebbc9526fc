//! Who may sign for an account, and since when: DID documents and did:plc operation logs.
//!
//! Vocabulary: a *DID document* says which key signs for an account at present; an *operation log*
//! says how a did:plc account came to be what it is; its *genesis* is the first operation, from
//! whose hash the DID is made; a *rotation key* signs operations, the *signing key* signs commits;
//! a *tombstone* ends an account; a *recovery* is an operation that undoes ("nullifies") operations
//! of less powerful rotation keys. A [`KeyHistory`] is what remains of either: keys, and the times in
//! which they were valid.
//!
//! Invariants kept here:
//!
//! - A [`PlcLog`] exists only if every operation of it was checked: its CID, its link to the one
//!   before, its signature by a rotation key of the one before, the rules of recovery, and the DID.
//! - Nothing is looked up: documents and logs are handed in as text.
//!
//! What cannot be checked: the times in a log are the word of the directory that keeps it, and the
//! rev of a commit is the word of whoever signed it. A key that was stolen can sign commits that claim
//! to be from its time.
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

mod document;
mod error;
mod keys;
mod log;
mod operation;

pub use document::DidDocument;
pub use error::{IdentityError, OperationFault};
pub use keys::{KeyError, KeyHistory, KeyPeriod};
pub use log::{PlcEntry, PlcLog};
