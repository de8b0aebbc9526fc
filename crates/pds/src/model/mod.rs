//! The data types of the verbs: writes, changes, conflicts, findings and revisions.

pub mod conflict;
pub mod finding;
pub mod jobs;
pub mod report;
pub mod revision;
pub mod write;
