//! This library, through its public interface, and the binary.

pub(crate) mod case;
mod counted;
mod disk;
pub(crate) mod log;
mod process;
mod read;
mod slice;
mod tree;
mod whole;
mod write;
