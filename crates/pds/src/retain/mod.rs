//! The deletion of states, blocks and blobs: garbage collection, purges and known losses.

mod after_sweep;
pub(crate) mod collect;
pub(crate) mod collection;
pub mod forget;
pub mod gc;
pub mod handle;
mod losses;
pub(crate) mod mark;
mod reach;
