//! End-to-end tests against the real servers on loopback.
#![allow(clippy::unwrap_used)]

mod forgeries;
mod guide;
mod kills;
mod lies;
mod mirrors;
mod servers;
mod streams;
