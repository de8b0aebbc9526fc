//! Arguments that several verbs share, and what they name.

pub(crate) mod bsky_url;
pub(crate) mod collection;
pub(crate) mod data_directory_args;
pub(crate) mod first_argument;
pub(crate) mod history_args;
pub(crate) mod identity;
pub(crate) mod network_args;
pub(crate) mod record;
pub(crate) mod record_at;
pub(crate) mod record_pattern;
pub(crate) mod short_cid;
pub(crate) mod shown;
pub(crate) mod size_arg;
pub(crate) mod state_arg;
pub(crate) mod store_arg;
pub(crate) mod when;
pub(crate) mod write_args;
