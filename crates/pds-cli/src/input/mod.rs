//! What commands read: files, standard input, directories of records, and secret keys.

pub(crate) mod blob_files;
pub(crate) mod database;
pub(crate) mod exported_line;
pub(crate) mod filled_file;
pub(crate) mod foreign_file;
pub(crate) mod json_input;
pub(crate) mod record_directory;
pub(crate) mod record_envelope;
pub(crate) mod secret_file;
pub(crate) mod secrets;
pub(crate) mod spool;
pub(crate) mod stream;
pub(crate) mod write_input;
