//! The time of a record.

use pds::data::Value;
use pds::syntax::{Datetime, RecordKey, Tid};

/// Returns the time of a record in microseconds since 1970: its `createdAt`, or else the time of a key that is a TID.
///
/// An account may write any time in both.
pub(crate) fn time_of(rkey: &RecordKey, value: Option<&Value>) -> Option<u64> {
    let created = value.and_then(|value| value.get("createdAt")?.as_text()?.parse().ok());
    let created = created.and_then(|time: Datetime| u64::try_from(time.unix_micros()).ok());
    created.or_else(|| key_micros(rkey))
}

/// Returns the time of a key that is a TID of a plausible time. Other words of thirteen letters are no times.
fn key_micros(rkey: &RecordKey) -> Option<u64> {
    let micros = rkey.as_str().parse::<Tid>().ok()?.micros();
    PLAUSIBLE_MICROS.contains(&micros).then_some(micros)
}

/// The times of the TIDs that begin with the digit 3: from 2005 to 2041. Imported posts are older than the network.
const PLAUSIBLE_MICROS: std::ops::Range<u64> = 1 << 50..1 << 51;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(rkey: &str, created_at: &str) -> Option<u64> {
        let value = Value::from([("createdAt", Value::from(created_at))]);
        time_of(&rkey.parse().unwrap(), Some(&value))
    }

    #[test]
    fn the_record_comes_before_its_key() {
        let by_key = 1_688_137_381_887_007;
        let said = "2023-11-23T13:34:56.789+01:00";
        assert_eq!(found("3jzfcijpj2z2a", said), Some(1_700_742_896_789_000));
        assert_eq!(found("3jzfcijpj2z2a", "yesterday"), Some(by_key));
        assert_eq!(found("3jzfcijpj2z2a", "1969-12-31T23:59:59Z"), Some(by_key));
        assert_eq!(time_of(&"3jzfcijpj2z2a".parse().unwrap(), None), Some(by_key));
        for no_time in ["self", "abcdefghijklm", "2222222222222", "jzzzzzzzzzzzz"] {
            assert_eq!(found(no_time, ""), None, "{no_time}");
        }
    }
}
