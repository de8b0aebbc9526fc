//! The network client: finds the host of an account, and keeps a verified copy of its repository.
//!
//! The local copy is the truth about the blocks that we hold, and the signed commit is the truth about what a host
//! said. Everything in between may lie, be cut off, or be killed.
//!
//! The client is blocking. A body is a reader, and parallel requests are threads.

pub mod limits;
