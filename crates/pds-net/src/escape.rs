//! Text of others, made safe for terminals and logs.

use std::fmt::{self, Write as _};

/// Text of others in which control characters and characters that change the direction are escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in self.0.chars() {
            match one {
                '"' | '\'' => f.write_char(one)?,
                _ => write!(f, "{}", one.escape_debug())?,
            }
        }
        Ok(())
    }
}

/// Returns the beginning of a text, at most `bytes` long.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_escaped() {
        let shown = |text: &str| Escaped(text).to_string();
        assert_eq!(shown("a \"b\" 'c' é"), "a \"b\" 'c' é");
        assert_eq!(shown("\u{1b}[31m\r\n\u{9b}"), "\\u{1b}[31m\\r\\n\\u{9b}");
        for hidden in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{200b}', '\u{2028}', '\u{feff}'] {
            assert!(!shown(&hidden.to_string()).contains(hidden), "{hidden:?}");
        }
    }

    #[test]
    fn a_cut_is_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("aé", 9), "aé");
        assert_eq!(cut("é", 1), "");
    }
}
