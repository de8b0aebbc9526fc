//! This library, through its public interface, and the binary.

pub(crate) mod case;
mod disk;
pub(crate) mod log;
mod process;
mod read;
mod tree;
mod write;
