//! The answers of the verbs on a terminal: lines in aligned columns, for people.

pub(crate) mod blob;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod ls;
pub(crate) mod refs;
pub(crate) mod verify;
