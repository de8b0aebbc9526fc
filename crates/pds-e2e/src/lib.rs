//! Real servers, a proxy that lies, and kills, for the tests of the network verbs.
//!
//! - [`Servers`] starts PDSes and a PLC directory on loopback, and [`Account`] acts on one of their accounts.
//! - [`Home`] runs the binary in a directory of its own.
//!
//! `bash .ci/e2e` installs the servers in the target directory. Without them, [`Servers::shared`] returns `None`, and
//! the tests print a line.

// Only tests call this code, and a failure here is a failure of the test.
#![allow(clippy::unwrap_used)]

pub mod account;
pub mod home;
pub mod http;
pub mod servers;

pub use account::Account;
pub use home::Home;
pub use servers::Servers;
