//! The answer of `pds unpack`.

use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct UnpackAnswer {
    pub(crate) records: u64,
}

display!(UnpackAnswer, "{records}", records);
