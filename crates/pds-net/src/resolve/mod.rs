//! From a handle, a DID or a URL to an account: its DID, its host and its keys.
//!
//! - [`who`]: what a user may write to name an account.
//! - [`handle`]: from a handle to a DID. The answer is a claim.
//! - [`did`]: from a DID to its document and operation log.
//! - [`account`]: all of it, with the handle checked in both directions.

pub mod account;
pub mod did;
mod dns;
pub mod handle;
pub mod who;
