//! The other libraries, each in the fastest way that it offers for the work.
//!
//! Where a library leaves a check to its caller (the hash of a block, say) the caller makes it, so that
//! everyone does the same work.

mod atrium;
pub(crate) mod case;
mod jacquard;
mod repo_stream;
mod rsky;
mod shrike;
