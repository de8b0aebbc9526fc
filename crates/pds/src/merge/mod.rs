//! Bringing two lines of commits together, and undoing one commit.

pub mod commit;
pub mod handle;
mod plan;
mod revert;
