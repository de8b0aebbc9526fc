//! History: refs, their log, and the states that they pointed to.

pub(crate) mod ancestry;
pub(crate) mod before;
pub mod handle;
pub(crate) mod log_pages;
pub mod record;
pub(crate) mod refs;
mod resolve;
pub mod restored;
