//! Stores of AT Protocol repositories: the traits that a repository uses, and the back ends for one machine.
//!
//! Start with [`store`](mod@store): the traits of a store. [`memory`] is the readable specification, `sqlite` is
//! one SQLite file, and [`blob`] keeps the files that records refer to. Every back end must pass the suites in
//! `conformance` and `blob::conformance` (feature `testing`).

pub mod blob;
pub mod change;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub(crate) mod entry_lock;
pub mod error;
pub mod event;
pub mod fact;
pub mod leftovers;
pub mod log;
pub mod memory;
pub mod ref_name;
pub mod refs;
pub mod relink;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod store;
pub mod sweep;
pub mod unfinished;
pub mod version;
