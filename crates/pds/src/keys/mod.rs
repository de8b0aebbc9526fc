//! Which key signs, which key signed before, and the change from one key to the next.

pub mod handle;
pub(crate) mod known;
mod rotation;
