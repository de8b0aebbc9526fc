//! The texts of errors.

use std::time::{SystemTime, UNIX_EPOCH};

use pds_core::syntax::datetime::Datetime;

use crate::escape::Escaped;

/// Returns the URL of a request, without the end of a long one.
pub(crate) fn short(url: &str) -> String {
    match url.char_indices().nth(MAX_URL_CHARS) {
        Some((end, _)) => format!("{}…", Escaped(&url[..end])),
        None => Escaped(url).to_string(),
    }
}

/// Says what a host answered.
pub(crate) fn host_answer(
    url: &str,
    status: u16,
    error: Option<&str>,
    message: Option<&str>,
) -> String {
    let mut text = short(url);
    for part in [error, message].into_iter().flatten().filter(|part| !part.is_empty()) {
        text += &format!(": {}", Escaped(part));
    }
    text + &format!(" (status {status})")
}

/// Says how many bytes a bound allows.
pub(crate) fn amount(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.iter().find(|(size, _)| bytes >= *size && bytes.is_multiple_of(*size));
    match unit {
        Some((size, unit)) => format!("{} {unit}", bytes / size),
        None => format!("{bytes} bytes"),
    }
}

/// Says when a wait ends.
pub(crate) fn time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).ok().and_then(Datetime::from_unix_micros);
    micros.map_or_else(|| "the year 9999".to_owned(), |time| time.to_string())
}

/// The letters of a URL that are shown: enough for a host, a method, a DID and a CID.
const MAX_URL_CHARS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_urls_are_cut() {
        let url =
            format!("https://a.com/xrpc/com.atproto.sync.getBlocks?{}", "&cids=x".repeat(100));
        let shown = host_answer(&url, 500, None, None);
        assert_eq!(shown, format!("{}… (status 500)", &url[..MAX_URL_CHARS]));
        assert_eq!(short("https://a.com/\u{1b}"), "https://a.com/\\u{1b}");
    }

    #[test]
    fn amounts_have_the_largest_exact_unit() {
        assert_eq!(amount(8 << 30), "8 GiB");
        assert_eq!(amount(2048), "2 KiB");
        assert_eq!(amount(5_000_000), "5000000 bytes");
    }
}
