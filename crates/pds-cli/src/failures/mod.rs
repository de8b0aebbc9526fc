//! Failures: exit codes, names, sentences and hints, and what is shown of a repository in parts.

pub(crate) mod damage;
pub(crate) mod errors;
pub(crate) mod exit;
pub(crate) mod failure;
pub(crate) mod habits;
mod network;
pub(crate) mod partial;
pub(crate) mod usage;
