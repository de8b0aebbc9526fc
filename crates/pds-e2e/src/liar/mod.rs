//! A proxy before a host, which lies about chosen answers and counts all of them.

pub(crate) mod bodies;
pub mod proxy;
pub mod rule;
pub mod stream;
mod stream_lies;
pub(crate) mod upgrade;
pub(crate) mod wire;
