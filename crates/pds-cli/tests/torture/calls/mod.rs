//! A verb is stopped at one of its file system calls.

mod kills;
mod state;
mod strace;
