//! CAR files: the file format for exporting and importing repositories.
//!
//! Vocabulary: a *section* is a length, a CID and the bytes of that block; *roots* are the CIDs in
//! the header, and the first one is the commit. (Specification "Repository", section "CAR File
//! Serialization"; DASL "CAR".)
//!
//! Readers accept any order, duplicates and unrelated blocks, and hash every block. Their memory is
//! bounded by the largest block, plus 25 bytes a block for an index. The writer writes the blocks
//! in the given order, duplicates included.

pub(crate) mod batch_read;
pub mod error;
pub(crate) mod index;
pub mod indexed_file;
pub mod read;
pub mod read_at;
pub(crate) mod salvage;
pub mod write;
