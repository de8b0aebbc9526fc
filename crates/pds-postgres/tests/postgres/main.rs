//! The store against a real PostgreSQL, which the tests start themselves.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::cast_possible_truncation)]

mod conformance;
mod faults;
mod kills;
mod proxy;
mod races;
mod repositories;
mod server;
mod support;
mod trips;
