//! The store against a real PostgreSQL, which the tests start themselves.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_possible_truncation)]

mod conformance;
mod server;
mod support;
