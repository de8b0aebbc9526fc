//! CAR files: the form in which repositories travel.
//!
//! Vocabulary: a *section* is a length, a CID and the bytes it names; *roots* are the CIDs in the
//! header, the first of which is the commit. (Specification "Repository", section "CAR File
//! Serialization"; DASL "CAR".)
//!
//! Readers take any order, duplicates and strangers, and hash every block. Memory is bounded by
//! the largest block, plus 25 bytes a block where a file is indexed. The writer keeps the order it is
//! given, and writes what it is given: a block twice if that is said twice.

mod error;
mod file;
mod index;
mod read;
mod read_at;
mod window;
mod write;

pub use error::CarError;
pub use file::CarFile;
pub use file::Indexing;
pub use read::{CarReader, Section};
pub use read_at::{FromStart, ReadAt};
pub use write::CarWriter;
