//! Repair of damaged repositories: a survey of the damage, and verbs that restore what they can.
//!
//! - A *damaged block* is a row of the store whose bytes do not hash to its CID.
//! - A *source* is another place that may have blocks, for example a CAR file.
//! - A *state* is a stored commit, or one that a ref or the log names.
//! - A *lost* block belongs to a state, and neither the store nor a source has it.
//! - A *broken ref* is missing, or points to a block that is not a commit.
//!
//! [`Rescue`] has the verbs. A CID proves its bytes, so a source needs no trust. No verb guesses: a record that
//! may not belong to the present state is listed and not restored.
//!
//! [`recover()`] reads the remains of a CAR file that is too damaged for an import. [`extract_blocks`] makes such a file
//! of the blocks in a SQLite file of any program.

mod broken_ref;
mod damaged;
mod database;
mod filled_store;
mod foreign_database;
mod handle;
mod mend;
mod orphans;
mod quarantine;
mod rebuild;
mod recover;
mod refs;
mod rest;
mod states;
mod survey;
mod survivors;
mod trace;

pub use self::broken_ref::BrokenRef;
pub use self::damaged::DamagedBlock;
pub use self::database::{SalvagedCopy, salvage_database, undo_interrupted_salvage};
pub use self::filled_store::{Origin, Sources};
pub use self::foreign_database::extract_blocks;
pub use self::handle::Rescue;
pub use self::quarantine::Quarantine;
pub use self::rebuild::{Earlier, Rebuilt};
pub use self::recover::{Recovered, Recovery, recover};
pub use self::states::{FoundState, StateName};
pub use self::survey::{Lost, Survey};
pub use self::trace::Part;
