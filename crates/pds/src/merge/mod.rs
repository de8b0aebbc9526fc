//! Merges of two lines of commits, and reverts of single commits.

pub mod commit;
pub mod handle;
mod other;
mod plan;
mod revert;
