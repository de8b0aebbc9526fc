//! The data directory of a reference PDS: a consistent export of each account without its server.
//!
//! - [`layout`]: the files of a data directory, and its accounts.
//! - [`copy`]: a repository from an account in it.
//! - [`published`]: what the network says about such an account.

mod actor_blobs;
pub mod actor_state;
pub mod copy;
pub mod layout;
pub mod published;
