//! Text without characters that control a terminal, or that cannot be seen.

use std::borrow::Cow;

/// Escapes control characters, which may come from hostile input and control the terminal, and characters that cannot
/// be seen or that turn the direction of text, with which one name looks like another.
///
/// JSON allows them in strings. The escape is a JSON escape, so the meaning stays the same.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    // Without an early exit, the loop compares many bytes at a time.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        return Cow::Borrowed(text);
    }
    let drives = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_invisible(c);
    if !text.contains(drives) {
        return Cow::Borrowed(text);
    }
    let mut tame = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if drives(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    tame.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => tame.push(c),
        }
    }
    Cow::Owned(tame)
}

/// Tells whether a character has no shape, or changes the direction of the text around it.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        // Zero-width spaces and joiners, and marks of direction.
        | '\u{200b}'..='\u{200f}'
        // Separators of lines and paragraphs, and embeddings and overrides of direction.
        | '\u{2028}'..='\u{202e}'
        // Invisible operators, and isolates of direction.
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        // Tags and rare variants of letters, which can spell an invisible text.
        | '\u{e0000}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped_and_other_text_stays() {
        for plain in ["plain", "grüezi\n\t", "日本語", "🐈\u{fe0f}", "e\u{301}"] {
            assert!(matches!(printable(plain), Cow::Borrowed(_)), "{plain}");
        }
        for (text, shown) in [
            ("a\u{202e}b", "a\\u202eb"),
            ("\u{200b}\u{2066}\u{feff}", "\\u200b\\u2066\\ufeff"),
            ("\u{1b}[2J", "\\u001b[2J"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(printable(text), shown);
        }
        let json = format!("\"{}\"", printable("\u{e0041}\u{200d}"));
        assert_eq!(
            serde_json::from_str::<String>(&json).ok(),
            Some("\u{e0041}\u{200d}".to_owned())
        );
    }
}
