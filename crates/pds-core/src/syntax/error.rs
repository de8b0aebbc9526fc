//! The error of a name that breaks its rules.

/// The error for text that is not a valid identifier, with the rule that the text breaks.
///
/// The message quotes the text with control characters escaped, so that it is safe to print on a
/// terminal.
///
/// ```
/// use pds::syntax::Did;
///
/// let error = "did:web:".parse::<Did>().unwrap_err();
/// assert_eq!(error.expected, "DID");
/// assert_eq!(
///     error.to_string(),
///     r#"not a DID: "did:web:": a DID has an identifier after its method"#
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {} {expected}: {input:?}: {reason}", article(.expected))]
pub struct SyntaxError {
    /// The kind of identifier that was expected, such as `DID` or `record path`.
    pub expected: &'static str,
    /// The refused text, cut to at most 256 bytes.
    pub input: String,
    /// The rule that the text breaks, as a statement about what is valid.
    pub reason: &'static str,
}

impl SyntaxError {
    /// Returns an error about `input`, with a copy of its first bytes.
    pub(crate) fn new(expected: &'static str, input: &str, reason: &'static str) -> Self {
        // The input has no size limit; the error must not copy all of it.
        let kept = (0..=MAX_INPUT_BYTES).rev().find_map(|end| input.get(..end));
        let input = kept.filter(|_| input.len() > MAX_INPUT_BYTES).unwrap_or(input).to_owned();
        Self { expected, input, reason }
    }

    /// Returns an error about bytes that may not be UTF-8.
    pub(crate) fn from_bytes(expected: &'static str, input: &[u8], reason: &'static str) -> Self {
        // A character that is cut here starts after the kept part.
        let head = input.get(..MAX_INPUT_BYTES + 3).unwrap_or(input);
        Self::new(expected, &String::from_utf8_lossy(head), reason)
    }
}

/// Picks the article by sound: "an NSID", "an AT URI", "a URI".
fn article(expected: &str) -> &'static str {
    if expected.starts_with(['A', 'a', 'N']) { "an" } else { "a" }
}

const MAX_INPUT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_escapes_the_input() {
        let error = SyntaxError::new("NSID", "a\u{1b}[31m\"\n", "why");
        assert_eq!(error.to_string(), r#"not an NSID: "a\u{1b}[31m\"\n": why"#);
    }

    #[test]
    fn input_is_cut_at_a_character() {
        let kept = |input: &str| SyntaxError::new("DID", input, "why").input;
        assert_eq!(kept(&"x".repeat(256)), "x".repeat(256));
        assert_eq!(kept(&"x".repeat(257)), "x".repeat(256));
        assert_eq!(kept(&format!("{}é", "x".repeat(255))), "x".repeat(255));
        assert_eq!(kept(&"é".repeat(1000)), "é".repeat(128));
    }

    #[test]
    fn bytes_are_shown_as_far_as_they_are_text() {
        let kept = |input: &[u8]| SyntaxError::from_bytes("record path", input, "why").input;
        assert_eq!(kept(b"a/b"), "a/b");
        assert_eq!(kept(b"a\xffb"), "a\u{fffd}b");
        assert!(kept(&[0xff; 1000]).len() <= 256);
        for lead in 0..4 {
            let input = format!("{}{}", "x".repeat(lead), "\u{1f980}".repeat(100));
            let same = SyntaxError::new("record path", &input, "why").input;
            assert_eq!(kept(input.as_bytes()), same);
        }
    }
}
