//! The verification of repositories and CAR files, with findings that have stable codes.
//!
//! A *finding* is one error or oddity with its place. Its *stage* is the layer that reports it. Only *errors* make
//! a repository invalid; *warnings* and *notes* do not. A damaged record never hides the findings after it.

mod any_order;
pub mod blobs;
pub mod car;
pub(crate) mod check;
pub mod handle;
mod history;
pub mod indexed;
pub(crate) mod noted_blobs;
pub(crate) mod shared_subtrees;
pub(crate) mod signed_with;
mod state;
pub(crate) mod stream;
pub(crate) mod tracked_file;
pub(crate) mod verdict;
