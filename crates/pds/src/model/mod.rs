//! Plain data of the verbs: writes, changes, conflicts, findings, names of states.

pub mod conflict;
pub mod finding;
pub mod jobs;
pub mod report;
pub mod revision;
pub mod write;
