//! The time of a record.

use pds::data::Value;
use pds::syntax::{Datetime, RecordKey, Tid};

/// Returns the time of a record in microseconds since 1970: its `createdAt`, or else the time of a key that is a TID.
///
/// An account may write any time in both.
pub(crate) fn time_of(rkey: &RecordKey, value: Option<&Value>) -> Option<u64> {
    let created = value.and_then(|value| value.get("createdAt")?.as_text()?.parse().ok());
    let created = created.and_then(|time: Datetime| u64::try_from(time.unix_micros()).ok());
    created.or_else(|| rkey.as_str().parse::<Tid>().ok()?.rev_micros())
}
