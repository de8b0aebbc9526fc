//! Every check of a repository, with findings that have stable codes.
//!
//! A *finding* is one fault or oddity with its place. Its *stage* is the layer that noticed it. Only
//! *errors* make a repository fail; *warnings* and *notes* do not. A damaged record never hides the next
//! one.

mod any_order;
pub mod blobs;
pub mod car;
pub(crate) mod check;
pub mod handle;
mod history;
pub mod indexed;
pub(crate) mod marked;
mod present;
mod shared;
pub(crate) mod stream;
