//! What stays and what is deleted: collections, purges, known losses.

pub(crate) mod collect;
pub mod forget;
pub mod gc;
pub mod handle;
mod losses;
pub(crate) mod mark;
