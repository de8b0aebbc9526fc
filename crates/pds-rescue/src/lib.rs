//! Repair: what is damaged in a repository, what can be restored, and what is lost.
//!
//! A *damaged block* is a row of the store whose bytes do not hash to its CID. A *source* is any other place
//! that may have blocks, good or bad. A *state* is a commit that a ref, the log or no name points to. A block
//! that a state needs and that no source has is *lost*. A *stray ref* is missing, or points to a block that is
//! not a commit.
//!
//! [`Rescue`] has the verbs. A CID proves its bytes, so a source needs no trust. Nothing is guessed: a record
//! that may not belong to the present state is listed and not restored.
//!
//! [`recover`](recover::recover) reads the remains of a CAR file that is too damaged to become a repository.

mod damaged;
mod database;
mod filled;
mod handle;
mod mend;
mod orphans;
mod quarantine;
mod rebuild;
mod recover;
mod stray;
mod survey;
mod survivors;
mod trace;

pub use self::damaged::DamagedBlock;
pub use self::database::{SalvagedCopy, salvage_database, undo_interrupted_salvage};
pub use self::filled::{Origin, Sources};
pub use self::handle::Rescue;
pub use self::quarantine::Quarantine;
pub use self::rebuild::{Earlier, Rebuilt};
pub use self::recover::{Recovered, Recovery, recover};
pub use self::stray::StrayRef;
pub use self::survey::{Lost, Survey};
pub use self::trace::Part;
