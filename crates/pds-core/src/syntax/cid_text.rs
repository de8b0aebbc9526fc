//! CIDs as text in records, checked for their form only.

/// The text of a content identifier (CID) in a record field that its schema declares as a string,
/// such as `bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi`.
///
/// The check is loose: 8 to 256 letters, digits, `+` and `=`, in any base, but not the version 0
/// form `Qm…`. Links and blocks use `data::Cid`, which is decoded and strict.
///
/// Spec: [Lexicon, "cid"](https://atproto.com/specs/lexicon#string-formats); the rules are those of
/// the protocol's test vectors.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CidText(Box<str>);

checked_text!(CidText, "CID", check);

fn check(cid: &[u8]) -> Result<(), &'static str> {
    if !(MIN_BYTES..=MAX_BYTES).contains(&cid.len()) {
        return Err("a CID has 8 to 256 characters");
    }
    if !cid.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'=')) {
        return Err("a CID holds only letters, digits, + and =");
    }
    if cid.starts_with(b"Qm") {
        return Err("a CID is not of version 0");
    }
    Ok(())
}

const MIN_BYTES: usize = 8;
const MAX_BYTES: usize = 256;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_limits() {
        for (len, valid) in [(0, false), (7, false), (8, true), (256, true), (257, false)] {
            assert_eq!("b".repeat(len).parse::<CidText>().is_ok(), valid, "{len}");
        }
    }

    #[test]
    fn refusals() {
        for bad in ["QmQmQmQm", "bafybe/a", "bafybe.a", "bafybe a", "bafybei\n", "bafybeié"] {
            assert!(bad.parse::<CidText>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(text in "b[a-zA-Z0-9+=]{7,80}") {
            let cid = CidText::try_from(text.clone()).unwrap();
            prop_assert_eq!(cid.to_string(), text);
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = text.parse::<CidText>();
        }
    }
}
