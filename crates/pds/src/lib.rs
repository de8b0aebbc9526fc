//! AT Protocol repositories on your own disk: read, write, sign, verify, import and export.
//!
//! Every Bluesky / AT Protocol account is a repository: records in a Merkle search tree, and a signed
//! commit on top. This crate keeps such repositories in a directory, checks everything it reads, and
//! writes what the rest of the network accepts. There is no server in it and no network.
//!
//! ```
//! use pds::data::Value;
//! use pds::Repo;
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path().join("alice");
//! let repo = Repo::create(&dir, &"did:web:alice.example.com".parse()?)?;
//! repo.put(&"com.example.note/first".parse()?, &Value::from([("text", Value::from("hello"))]))?;
//! let record = repo.find(&"com.example.note/first".parse()?)?.expect("it was just put");
//! # assert_eq!(record.value()?.get("text"), Some(&Value::from("hello")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to start
//!
//! - [`repo::Repo`] is the API most people need: records, blobs, history, CAR files in and out.
//! - [`repo::Snapshot`] is a repository at one commit, also straight from a CAR file.
//! - [`repo::verify`] makes every check there is, and reports findings with stable codes.
//! - [`repo::Snapshot::prove`] and [`repo::verify_proof`] show one record to whoever knows the key;
//!   [`identity`] tells which key that was, from DID documents and did:plc operation logs.
//! - [`mst::Tree`], [`commit::Commit`] and [`car::CarReader`] are the parts, for those who build
//!   servers, backfills and tools.
//! - [`store::Store`] and [`blob::BlobStore`] are what another back end implements.
//!
//! # What to rely on
//!
//! A [`data::Block`] always hashes to its CID. What is decoded is canonical, and encodes to the same
//! bytes. Everything that comes from outside meets the bounds in [`data::limits`]. An operation that
//! fails leaves the store as it was. Nothing here panics on input, and there is no `unsafe`.
//!
//! # Features
//!
//! `sqlite` (default): the store on disk. `testing`: the conformance suites for stores. `cid`:
//! conversions to and from the `cid` crate's type.

pub use pds_core::crypto::{PublicKey, SigningKey};
pub use pds_core::data::{Cid, Value};
pub use pds_core::syntax::{Did, Nsid, RecordPath, Tid};
pub use pds_core::{car, commit, crypto, data, identity, mst, syntax};
pub use pds_store::{blob, store};

pub mod blobs;
mod caches;
mod clock;
mod drafts;
pub mod error;
mod facts;
pub mod history;
pub mod keys;
pub mod local;
pub mod merge;
pub mod model;
mod parts;
mod pipeline;
mod reading;
mod repo;
pub mod retain;
pub mod snapshot;
pub mod transfer;
pub mod verify;
mod write;

pub use self::error::{Error, Result};
pub use self::model::conflict::{Resolution, Side, Versions};
pub use self::model::finding::{Code, Finding, Severity, Stage};
pub use self::model::jobs::Jobs;
pub use self::model::report::{Expected, Report, SignatureState};
pub use self::model::revision::Revision;
pub use self::model::write::{Batch, Draft, RecordChange, Write, WriteOptions, Written};
pub use self::repo::Repo;
pub use self::snapshot::{ListOptions, Record, RecordEntry, Snapshot};
