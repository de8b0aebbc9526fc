//! Detection of the media type of a blob from its first bytes.

/// The number of bytes at the start of a blob that [`sniff`] needs.
pub const SNIFFED_BYTES: usize = 8 * 1024;

/// Returns the probable media type of a blob, based on its first bytes.
///
/// If no signature matches, the type is `text/plain` for UTF-8 without control characters, and
/// `application/octet-stream` for all other bytes.
///
/// ```
/// assert_eq!(pds::blob::sniff(b"\x89PNG\r\n\x1a\n"), "image/png");
/// assert_eq!(pds::blob::sniff("grüezi".as_bytes()), "text/plain");
/// assert_eq!(pds::blob::sniff(&[0, 1, 2]), "application/octet-stream");
/// ```
#[must_use]
pub fn sniff(start: &[u8]) -> &'static str {
    let start = start.get(..SNIFFED_BYTES).unwrap_or(start);
    if let Some(known) = infer::get(start) {
        return known.mime_type();
    }
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The start may end in the middle of a character.
        Err(error) if error.error_len().is_none() => {
            let (whole, _) = start.split_at(error.valid_up_to());
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return "application/octet-stream",
    };
    let is_text = !text.is_empty() && text.chars().all(|c| !c.is_control() || "\n\r\t".contains(c));
    if is_text { "text/plain" } else { "application/octet-stream" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_whole_characters_without_controls() {
        let cut = "é".repeat(SNIFFED_BYTES);
        for text in ["a", "grüezi", "a\n\r\tb", &cut, &format!("a{cut}")] {
            assert_eq!(sniff(text.as_bytes()), "text/plain");
        }
        for bytes in [&b""[..], b"a\0", b"\x07", b"a\xffb", b"\xc3"] {
            assert_eq!(sniff(bytes), "application/octet-stream", "{bytes:?}");
        }
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n"), "image/png");
        // What comes later does not count.
        let later = [&b"a".repeat(SNIFFED_BYTES)[..], b"\0"].concat();
        assert_eq!(sniff(&later), "text/plain");
    }
}
