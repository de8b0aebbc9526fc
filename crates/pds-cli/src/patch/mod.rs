//! The readable difference of two versions of a record: field by field, with the changed words of texts marked.

pub(crate) mod lines;
pub(crate) mod render;
pub(crate) mod words;
