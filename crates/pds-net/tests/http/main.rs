//! The client against servers that this test runs on loopback.

#![allow(clippy::unwrap_used)]

mod accounts;
mod answers;
mod bounds;
mod certificates;
mod handshakes;
mod lists;
mod proxies;
mod retries;
mod server;
mod sockets;
