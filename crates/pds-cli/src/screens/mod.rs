//! The answers of the verbs on a terminal: lines in aligned columns, for people.

pub(crate) mod arrived;
pub(crate) mod blob;
pub(crate) mod diff;
pub(crate) mod files;
pub(crate) mod forget;
pub(crate) mod forget_question;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod info;
pub(crate) mod log;
pub(crate) mod ls;
pub(crate) mod merge;
pub(crate) mod moves;
pub(crate) mod mst;
pub(crate) mod no_records;
pub(crate) mod patch;
pub(crate) mod planned;
pub(crate) mod proof;
pub(crate) mod recover;
pub(crate) mod refs;
pub(crate) mod repair;
pub(crate) mod show;
pub(crate) mod stat;
pub(crate) mod stats;
pub(crate) mod verify;
pub(crate) mod written;
