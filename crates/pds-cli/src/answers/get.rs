//! The answer of `pds get`.

use std::fmt;

use pds::data::{Cid, Value};
use serde::Serialize;

use super::json::Pretty;

/// A record; the text is only its value.
#[derive(Serialize)]
pub(crate) struct RecordAnswer {
    pub(crate) cid: Cid,
    /// `None` if the commit names no account.
    pub(crate) uri: Option<String>,
    pub(crate) value: Value,
}

impl fmt::Display for RecordAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Pretty(&self.value).fmt(f)
    }
}
