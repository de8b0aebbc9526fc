//! The repository that a command works on: how it is opened and checked, and what is said about its commits and blobs.

pub(crate) mod arrivals;
pub(crate) mod blob_notes;
pub(crate) mod clock;
pub(crate) mod logged_states;
pub(crate) mod made;
pub(crate) mod missing_blobs;
pub(crate) mod open;
pub(crate) mod signed;
