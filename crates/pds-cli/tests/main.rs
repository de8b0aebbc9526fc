//! The binary as users see it: one topic per module.
#![allow(missing_docs, clippy::unwrap_used)]

mod acceptance;
mod common;
mod concurrency;
mod damage;
mod durability;
mod exit_codes;
mod faults;
mod formats;
mod guide;
mod habits;
mod memory;
mod reports;
mod screens;
#[path = "../../pds-postgres/tests/postgres/server.rs"]
#[allow(dead_code, reason = "tests of another crate use the rest")]
mod server;
mod surroundings;
mod torture;
mod verbs;
