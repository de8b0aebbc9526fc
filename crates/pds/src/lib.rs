//! AT Protocol repositories on a local disk: read, write, sign, verify, import and export.
//!
//! Every Bluesky / AT Protocol account is a repository: records in a Merkle search tree, and a signed
//! commit on top. This crate stores repositories in directories and checks everything that it reads. Other
//! implementations accept everything that it writes. It has no server and does no networking.
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
//! - [`Repo`] is the main type: records, blobs, history, import and export of CAR files.
//! - [`Snapshot`] is a repository at one commit, read from a store or directly from a CAR file.
//! - [`verify`] checks hashes, tree, records and signature, and reports findings with stable codes.
//! - [`transfer::prove`] makes and checks proofs of single records.
//! - [`identity`] finds the key that signed a commit, from DID documents and did:plc operation logs.
//! - [`mst::Tree`], [`commit::Commit`] and [`car::CarReader`] are the parts for servers, backfills and tools.
//! - [`store::Store`] and [`blob::BlobStore`] are the traits that another back end implements.
//!
//! # Guarantees
//!
//! - A [`data::Block`] always hashes to its CID.
//! - Decoded data is canonical: it encodes to the same bytes.
//! - External input is limited by [`data::limits`] and never causes a panic.
//! - A failed operation does not change the store.
//! - The crate contains no `unsafe` code.
//!
//! # Features
//!
//! - `sqlite` (default): the store on disk.
//! - `testing`: the conformance suites for stores.
//! - `cid`: conversions to and from the type of the `cid` crate.

/// Names, parsed once.
pub mod syntax {
    pub use pds_core::syntax::at_uri::{AtIdentifier, AtUri};
    pub use pds_core::syntax::cid_text::CidText;
    pub use pds_core::syntax::datetime::Datetime;
    pub use pds_core::syntax::did::Did;
    pub use pds_core::syntax::error::SyntaxError;
    pub use pds_core::syntax::handle::Handle;
    pub use pds_core::syntax::language::Language;
    pub use pds_core::syntax::nsid::Nsid;
    pub use pds_core::syntax::record_key::RecordKey;
    pub use pds_core::syntax::record_path::{RecordPath, check_record_path};
    pub use pds_core::syntax::tid::Tid;
    pub use pds_core::syntax::uri::Uri;
}

/// CIDs, blocks, the data model in DAG-CBOR and JSON, every limit.
pub mod data {
    pub use pds_core::data::blob_ref::BlobRef;
    pub use pds_core::data::block::{
        Block, BlockRef, Blocks, MemoryBlocks, ReadError, get_all, get_some, one_by_one,
    };
    pub use pds_core::data::block_kind::BlockKind;
    pub use pds_core::data::cid::{Cid, Codec};
    pub use pds_core::data::cid_hasher::ByCid;
    pub use pds_core::data::error::DataError;
    pub use pds_core::data::limits;
    pub use pds_core::data::overlay::Overlay;
    pub use pds_core::data::record_check::{
        RecordFacts, blobs_in, check_canonical, check_record, links,
    };
    pub use pds_core::data::value::{Map, Value};
}

/// Keys and signatures.
pub mod crypto {
    pub use pds_core::crypto::curve::Curve;
    pub use pds_core::crypto::did_key::DidKey;
    pub use pds_core::crypto::error::CryptoError;
    pub use pds_core::crypto::public_key::PublicKey;
    pub use pds_core::crypto::signature::Signature;
    pub use pds_core::crypto::signer::Signer;
    pub use pds_core::crypto::signing_key::SigningKey;
}

/// The Merkle search tree.
pub mod mst {
    pub use pds_core::mst::base_tree::BaseTree;
    pub use pds_core::mst::build::Builder;
    pub use pds_core::mst::cache::NodeCache;
    pub use pds_core::mst::contents::{Content, Contents, LARGE_BYTES, contents};
    pub use pds_core::mst::diff::{Change, Diff, NodeChanges, diff, diff_across};
    pub use pds_core::mst::error::MstError;
    pub use pds_core::mst::key::{Key, height};
    pub use pds_core::mst::node::{EMPTY_NODE, Node, NodeEntry, Position};
    pub use pds_core::mst::preorder::{Due, Preorder};
    pub use pds_core::mst::proof::{Descent, proof};
    pub use pds_core::mst::range::{Entry, Range, range};
    pub use pds_core::mst::seen::Seen;
    pub use pds_core::mst::tree::{Tree, Written, get};
    pub use pds_core::mst::walk::{Step, Walk, nodes, walk};
}

/// CAR files.
pub mod car {
    pub use pds_core::car::error::CarError;
    pub use pds_core::car::indexed_file::CarFile;
    pub use pds_core::car::read::{CarReader, Section};
    pub use pds_core::car::read_at::{FromStart, ReadAt};
    pub use pds_core::car::write::CarWriter;
}

/// DID documents and did:plc operation logs.
pub mod identity {
    pub use pds_core::identity::did_document::DidDocument;
    pub use pds_core::identity::error::{IdentityError, OperationFault};
    pub use pds_core::identity::key_history::{KeyError, KeyHistory, KeyPeriod};
    pub use pds_core::identity::plc_data::{PlcData, PlcService};
    pub use pds_core::identity::plc_log::{LogChanged, PlcEntry, PlcLog};
    pub use pds_core::identity::plc_operation::PlcOperation;
    pub use pds_core::identity::unsigned_operation::UnsignedPlcOperation;
}

/// The event stream of a host: frames, checks, and events of our own.
pub mod sync {
    pub use pds_core::sync::build::{State, build_commit, build_sync};
    pub use pds_core::sync::check::{CheckedCommit, check_commit, check_sync};
    pub use pds_core::sync::error::{BuildError, EventFault, FrameError, OverLimit};
    pub use pds_core::sync::event::{
        AccountEvent, Action, CommitEvent, Event, IdentityEvent, InfoEvent, RecordOp, SyncEvent,
    };
    pub use pds_core::sync::frame::Frame;
}

/// The seam, and the stores of one machine.
pub mod store {
    /// The suites that every store must pass.
    #[cfg(feature = "testing")]
    pub mod conformance {
        pub use pds_store::conformance::damage::check_damage;
        pub use pds_store::conformance::durable::check_durable;
        pub use pds_store::conformance::large::check_large;
        pub use pds_store::conformance::shared::check_shared;
        pub use pds_store::conformance::suite::check;
    }
    pub use pds_store::change::{Applied, BlockStream, Change, LogStream};
    pub use pds_store::error::{BoxError, StoreError, damage};
    pub use pds_store::event::Event;
    pub use pds_store::fact::{Fact, FactEdit, FactKind};
    pub use pds_store::log::{LogEntry, LogQuery};
    pub use pds_store::memory::MemoryStore;
    pub use pds_store::ref_name::{RefName, RefNameError};
    pub use pds_store::refs::{Expect, RefEdit, Refs};
    #[cfg(feature = "sqlite")]
    pub use pds_store::sqlite::{
        salvage::saved::{Salvaged, SalvagedRef},
        schema::FORMAT,
        store::SqliteStore,
    };
    pub use pds_store::store::{
        CheckDepth, Compacted, Maintain, Replaced, Store, View, Visitor, first_fact, has_sound,
        lacks_refs, latest_rows,
    };
    pub use pds_store::sweep::{Fate, Sweep, SweptBlocks};
    pub use pds_store::version::Version;
}

/// Files that records refer to.
pub mod blob {
    #[cfg(feature = "testing")]
    pub use pds_store::blob::conformance;
    pub use pds_store::blob::directory::BlobDirectory;
    pub use pds_store::blob::error::BlobError;
    pub use pds_store::blob::media_type::{SNIFFED_BYTES, sniff};
    pub use pds_store::blob::memory::MemoryBlobs;
    pub use pds_store::blob::store::{BlobInfo, BlobStore, BlobSweep, OpenBlob};
}

/// Temporary files and directories of running operations, and the removal of those whose process was killed.
pub mod unfinished {
    pub use pds_store::leftovers::{Leftovers, remove_leftovers};
    pub use pds_store::unfinished::{Ending, UnfinishedDir, UnfinishedFile, remove_all};
}

pub mod blobs;
mod caches;
mod cid_set;
pub mod clock;
mod commit_base;
mod drafts;
pub mod error;
mod error_text;
mod facts;
pub mod history;
pub mod keys;
mod left_revs;
pub mod local;
pub mod merge;
pub mod model;
mod new_records;
mod parts;
mod reading;
pub mod repo;
pub mod retain;
mod run_ahead;
mod signer_slot;
pub mod snapshot;
mod spool;
pub mod transfer;
mod unchanged;
pub mod verify;
mod write;

pub use self::error::{Error, Result};
pub use self::model::advance::{Advance, AdvanceError};
pub use self::model::conflict::{Conflicts, Resolution, Side, SideChanges, Versions};
pub use self::model::finding::{Code, Finding, Severity, Stage, Subject};
pub use self::model::jobs::Jobs;
pub use self::model::progress::{Progress, StepKind};
pub use self::model::report::{Expected, Report, SignatureState};
pub use self::model::revision::Revision;
pub use self::model::write::{Batch, Draft, RecordChange, Write, WriteOptions, Written};
pub use self::repo::Repo;
pub use self::snapshot::{ListOptions, Record, RecordEntry, Snapshot};
pub use self::spool::batch::{SpooledBatch, SpooledWritten};
pub use pds_core::commit;
pub use pds_core::crypto::public_key::PublicKey;
pub use pds_core::crypto::signing_key::SigningKey;
pub use pds_core::data::cid::Cid;
pub use pds_core::data::value::Value;
pub use pds_core::syntax::did::Did;
pub use pds_core::syntax::nsid::Nsid;
pub use pds_core::syntax::record_path::RecordPath;
pub use pds_core::syntax::tid::Tid;
