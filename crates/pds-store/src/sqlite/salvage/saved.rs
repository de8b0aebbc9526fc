//! What a salvage has saved so far, and its result.

use rusqlite::Transaction;

use crate::ref_name::RefName;
use crate::sqlite::rows::state::StateRow;
use pds_core::data::cid::Cid;

/// The result of a [`salvage`](crate::sqlite::store::SqliteStore::salvage).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// The number of blocks, intact or damaged.
    pub blocks: u64,
    /// The number of intact blocks.
    pub sound: u64,
    /// The number of refs.
    pub refs: u64,
    /// The number of log rows.
    pub moves: u64,
    /// The number of facts.
    pub facts: u64,
    /// Whether every table could be read completely.
    pub is_all: bool,
    /// Whether the refs are certainly complete.
    pub has_all_refs: bool,
    /// Whether the log rows are certainly complete.
    pub has_all_moves: bool,
    /// Whether the facts are certainly complete.
    pub has_all_facts: bool,
    /// The refs that do not point to the commit in their row, or that had no row.
    pub moved: Vec<SalvagedRef>,
}

/// A ref of a salvaged store that does not point to the commit in its row, or that had no row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedRef {
    /// The name of the ref.
    pub name: RefName,
    /// The commit in the row, or `None` if there was no row.
    pub found: Option<Cid>,
    /// The commit that the ref points to in the new store, or `None` if the ref is dropped.
    pub target: Option<Cid>,
}

/// The content saved so far. The first row of a name is kept, with two exceptions: an intact block
/// replaces a damaged one, and the newest row of a ref replaces older ones.
pub(crate) struct Saved<'a> {
    pub(crate) to: &'a Transaction<'a>,
    pub(crate) done: Salvaged,
    /// The row of `state`, if it could be read.
    pub(crate) state: Option<StateRow>,
}
