//! The version of a store: the numbers that a reader compares.

/// The numbers of the last change of a store, and of the last change that deleted blocks.
///
/// A reader that misses a block compares `sweep` with the number at the start of its read. If the
/// two differ, the block may have been deleted. If they are equal, the block is missing or damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// The number of the last change.
    pub change: u64,
    /// The number of the last change that deleted blocks.
    pub sweep: u64,
}
