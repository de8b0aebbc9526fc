//! The answer of `pds help` to a topic.

use std::fmt;

use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct TopicAnswer {
    pub(crate) topic: &'static str,
    pub(crate) text: String,
}

impl fmt::Display for TopicAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
