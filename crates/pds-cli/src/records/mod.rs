//! Records as commands list, count, compare and write them.

pub(crate) mod changes;
pub(crate) mod json_form;
pub(crate) mod portable_name;
pub(crate) mod record_files;
pub(crate) mod record_line;
pub(crate) mod record_reader;
pub(crate) mod record_time;
pub(crate) mod statistics;
pub(crate) mod stored_handles;
