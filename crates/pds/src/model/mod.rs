//! The data types of the verbs: announced changes, the order of commits, writes, changes, conflicts, findings and revisions.

pub mod advance;
pub mod commit_order;
pub mod conflict;
pub mod finding;
pub mod jobs;
pub(crate) mod prefix;
pub mod progress;
pub mod report;
pub mod revision;
pub mod revision_error;
pub mod write;
