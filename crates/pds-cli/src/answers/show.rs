//! The answer of `pds show`.

use std::fmt;

use pds::data::Value;
use serde::Serialize;

use super::json::Pretty;

/// The content of a block.
#[derive(Serialize)]
pub(crate) struct BlockAnswer(pub(crate) Value);

impl fmt::Display for BlockAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Pretty(&self.0).fmt(f)
    }
}
