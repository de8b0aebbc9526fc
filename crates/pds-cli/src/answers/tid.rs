//! The answer of `pds tid`.

use std::fmt;

use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TidAnswer {
    pub(crate) clock_id: u16,
    pub(crate) integer: u64,
    pub(crate) micros: u64,
    pub(crate) tid: String,
    pub(crate) time: String,
    /// The TID was just generated, so the text is only the TID.
    #[serde(skip)]
    pub(crate) is_new: bool,
}

impl fmt::Display for TidAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tid, integer, time, micros, clock_id, is_new } = self;
        if *is_new {
            return tid.fmt(f);
        }
        write!(
            f,
            "tid      {tid}\ninteger  {integer}\ntime     {time}\nmicros   {micros}\nclock    {clock_id}"
        )
    }
}
