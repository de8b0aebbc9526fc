//! Record keys.

use crate::syntax::tid::Tid;

/// A record key: the name of one record within its collection, such as `3jzfcijpj2z2a` or `self`.
///
/// A record key has 1 to 512 bytes: letters, digits and `. - _ : ~`. The keys `.` and `..` are
/// refused. Keys are case-sensitive. The schema of a collection may restrict its keys further (to
/// TIDs, or to one literal); that is not checked here.
///
/// Spec: [Record Key, "Record Key Syntax"](https://atproto.com/specs/record-key).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(Box<str>);

impl RecordKey {
    /// Wraps text that [`check`] has accepted.
    pub(crate) fn from_checked(text: &str) -> Self {
        debug_assert_eq!(check(text.as_bytes()), Ok(()));
        Self(text.into())
    }
}

checked_text!(RecordKey, "record key", check);

/// Converts without an error: every TID is a valid record key.
impl From<Tid> for RecordKey {
    fn from(tid: Tid) -> Self {
        Self::from_checked(&tid.to_string())
    }
}

pub(crate) fn check(rkey: &[u8]) -> Result<(), &'static str> {
    if rkey.is_empty() {
        return Err("a record key is not empty");
    }
    if rkey.len() > MAX_BYTES {
        return Err("a record key has at most 512 bytes");
    }
    if !rkey.iter().all(|byte| is_key_byte(*byte)) {
        return Err("a record key holds only letters, digits and . - _ : ~");
    }
    if matches!(rkey, b"." | b"..") {
        return Err("a record key is not . or ..");
    }
    Ok(())
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'~')
}

const MAX_BYTES: usize = 512;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_limits() {
        assert!("o".parse::<RecordKey>().is_ok());
        assert!("".parse::<RecordKey>().is_err());
        assert!("o".repeat(512).parse::<RecordKey>().is_ok());
        assert!("o".repeat(513).parse::<RecordKey>().is_err());
    }

    #[test]
    fn exactly_these_bytes() {
        let allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:~";
        for byte in 0..=u8::MAX {
            let expected = allowed.as_bytes().contains(&byte);
            assert_eq!(check(&[b'a', byte]).is_ok(), expected, "{byte:#04x}");
        }
    }

    #[test]
    fn dots() {
        assert!(".".parse::<RecordKey>().is_err());
        assert!("..".parse::<RecordKey>().is_err());
        assert!("...".parse::<RecordKey>().is_ok());
        assert!(".a".parse::<RecordKey>().is_ok());
    }

    proptest! {
        #[test]
        fn round_trip(text in "[A-Za-z0-9.\\-_:~]{3,60}") {
            let rkey = RecordKey::try_from(text.clone()).unwrap();
            prop_assert_eq!(rkey.to_string(), text);
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = text.parse::<RecordKey>();
        }

        #[test]
        fn every_tid_is_a_record_key(integer in any::<u64>()) {
            let tid = Tid::from_u64(integer);
            let rkey = RecordKey::from(tid);
            prop_assert_eq!(rkey.as_str().parse::<RecordKey>().unwrap(), rkey.clone());
            prop_assert_eq!(rkey.as_str().parse::<Tid>().unwrap(), tid);
        }
    }
}
