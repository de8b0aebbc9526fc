//! Repositories that follow an account on a host: clone, pull, and the files of both.
//!
//! A mirror is a repository directory with a file `upstream.json`. The ref `origin` points to the newest state of the
//! host, and `HEAD` follows it until commits are made here. Every state is verified before a ref moves.

pub mod all;
mod arrival;
pub mod blobs;
pub mod clone;
pub mod data_directory;
mod fetch_dir;
mod fetched;
pub mod follow;
mod free_space;
pub mod handle;
mod keys;
pub mod missing;
pub mod pull;
mod small_file;
mod source;
mod state_blobs;
pub mod stored_identity;
mod transport;
pub mod upstream;
mod walk;
