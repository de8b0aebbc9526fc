//! URIs of any scheme, as records have them.

/// A URI of any scheme, the form of web links in records, such as `https://example.com/a?b#c`.
///
/// Only the outline of RFC 3986 is checked: a scheme, a colon, and at least one more character. All
/// characters are visible ASCII, and a URI has at most 8,192 bytes. Nothing is normalized or
/// decoded.
///
/// Spec: [Lexicon, "uri"](https://atproto.com/specs/lexicon#uri).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri(Box<str>);

checked_text!(Uri, "URI", check);

fn check(uri: &[u8]) -> Result<(), &'static str> {
    if uri.len() > MAX_BYTES {
        return Err("a URI has at most 8192 bytes");
    }
    let mut parts = uri.splitn(2, |byte| *byte == b':');
    let (Some(scheme), Some(rest)) = (parts.next(), parts.next()) else {
        return Err("a URI has a scheme and a colon");
    };
    if !scheme.first().is_some_and(u8::is_ascii_alphabetic) {
        return Err("the scheme of a URI starts with a letter");
    }
    if !scheme.iter().all(|byte| is_scheme_byte(*byte)) {
        return Err("the scheme of a URI holds only letters, digits and + - .");
    }
    if rest.is_empty() {
        return Err("a URI has something after its scheme");
    }
    if !rest.iter().all(u8::is_ascii_graphic) {
        return Err("a URI holds only visible ASCII characters");
    }
    Ok(())
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

const MAX_BYTES: usize = 8192;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_limits() {
        let of_length = |len: usize| format!("a:{}", "x".repeat(len - 2)).parse::<Uri>();
        assert!(of_length(8192).is_ok());
        assert!(of_length(8193).is_err());
        assert!(of_length(3).is_ok());
        assert!(of_length(2).is_err());
    }

    #[test]
    fn refusals() {
        for bad in
            ["", ":", ":a", "a", "1a:b", "a_b:c", "a/b:c", "a:b c", "a:b\n", "a:\u{7f}", "a:é"]
        {
            assert!(bad.parse::<Uri>().is_err(), "{bad:?}");
        }
        for good in ["a:b", "A:b", "git+ssh://x", "h2:x", "a::", "urn:isbn:0451450523"] {
            assert!(good.parse::<Uri>().is_ok(), "{good}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(text in "[a-zA-Z][a-zA-Z0-9+.-]{0,9}:[!-~]{1,40}") {
            let uri = Uri::try_from(text.clone()).unwrap();
            prop_assert_eq!(uri.to_string(), text);
        }

        #[test]
        fn never_panics(text in any::<String>(), rest in any::<String>()) {
            let _ = text.parse::<Uri>();
            let _ = format!("a:{rest}").parse::<Uri>();
        }
    }
}
