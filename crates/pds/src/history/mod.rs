//! History: refs, their log, and the states that they pointed to.

pub(crate) mod ancestry;
mod candidates;
pub mod commits;
pub mod commits_in_file;
pub mod comparison;
pub mod handle;
pub mod in_file;
pub(crate) mod log_pages;
pub(crate) mod origin;
pub(crate) mod parent;
pub mod record;
pub(crate) mod refs;
mod resolve;
pub mod restored;
