//! The event stream of a host: frames, the checks of their events, and events of our own.
//!
//! Vocabulary (specifications "Sync" and "Event Stream"):
//!
//! - A *frame* is one message of a stream: a header and a body, one after the other.
//! - An *event* is the body of a frame: a commit, a new state without its changes (sync), or news of an account.
//! - An *operation* is the change of one record in a commit event.
//! - *Inversion* undoes the operations on the new tree. The result must be the tree before, `prevData`.
//!
//! Invariants:
//!
//! - A frame is read without recursion, and what is kept of it is at most as large as the frame.
//! - [`check_commit`](check::check_commit) accepts exactly the events whose operations lead from `prevData` to the tree
//!   of the signed commit.
//! - An event of [`build_commit`](build::build_commit) passes this check.
//!
//! Only commits are signed. The `seq`, the time and the `since` of an event are claims of the host, and so are all
//! events without a commit.

pub mod build;
pub mod check;
pub mod error;
pub mod event;
pub(crate) mod fields;
pub mod frame;
pub(crate) mod invert;
