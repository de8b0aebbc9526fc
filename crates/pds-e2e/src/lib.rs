//! Real servers, a proxy that lies, and kills, for the tests of the network verbs.
//!
//! - [`Servers`] starts PDSes and a PLC directory on loopback, and [`Account`] acts on one of their accounts.
//! - [`Liar`] is a proxy before a host: it applies a [`Rule`] to requests, and counts requests and bytes. It also lies
//!   about the messages of WebSockets.
//! - [`Forged`] is a repository that a host never had, and a proxy can claim it.
//! - [`WebIdentity`] is a did:web with its document.
//! - [`Home`] runs the binary in a directory of its own, and [`kill`] ends a run at a chosen [`Moment`](kill::Moment).
//! - [`Live`] is a run that goes on, whose lines are read as they come.
//! - [`page`] runs the commands of a page of the documentation.
//!
//! `bash .ci/e2e` installs the servers in the target directory. Without them, [`Servers::shared`] returns `None`, and
//! the tests print a line.

// Only tests call this code, and a failure here is a failure of the test.
#![allow(clippy::unwrap_used)]

pub mod account;
pub mod car;
pub mod forge;
pub mod home;
pub mod http;
pub mod kill;
pub mod liar;
pub mod live;
pub mod page;
pub mod servers;
pub mod web;

pub use account::Account;
pub use forge::Forged;
pub use home::Home;
pub use liar::proxy::Liar;
pub use liar::rule::{Lie, Rule};
pub use liar::stream::Sent;
pub use live::Live;
pub use servers::Servers;
pub use web::WebIdentity;
