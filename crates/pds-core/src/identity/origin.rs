//! The names that identities give: the origin of a host, and handles.

use crate::syntax::handle::Handle;

/// The key and the type of the service that hosts an account.
pub(crate) const PDS_SERVICE: &str = "atproto_pds";
pub(crate) const PDS_SERVICE_TYPE: &str = "AtprotoPersonalDataServer";

/// Returns the handles of `alsoKnownAs`, in order. Other names are left out.
pub(crate) fn handles<'n>(names: impl Iterator<Item = &'n str>) -> impl Iterator<Item = Handle> {
    names.filter_map(|name| name.strip_prefix("at://")?.parse().ok())
}

/// Returns the origin of a URL in lower case and without the default port, or `None` if the URL is not the address of
/// a host: `http` or `https`, a host, and nothing after the port but one slash.
pub(crate) fn origin(url: &str) -> Option<String> {
    if url.len() > MAX_ORIGIN_BYTES {
        return None;
    }
    let url = url.to_ascii_lowercase();
    let (scheme, rest) = url.split_once("://")?;
    let default_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if !is_host(host) {
        return None;
    }
    match port {
        None => Some(format!("{scheme}://{host}")),
        Some(port) => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            let port: u16 = port.parse().ok().filter(|port| digits && *port > 0)?;
            let shown = if port == default_port { String::new() } else { format!(":{port}") };
            Some(format!("{scheme}://{host}{shown}"))
        }
    }
}

/// Returns whether a text can be the host of a URL: a name, or an IP address.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return address.parse::<core::net::Ipv6Addr>().is_ok();
    }
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= MAX_LABEL_BYTES && label.bytes().all(is_inside)
    };
    text.len() <= MAX_HOST_BYTES && text.split('.').all(is_label)
}

/// The longest name of a host, and the longest label in it, in bytes (RFC 1035).
const MAX_HOST_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// The longest URL that is read, in bytes: a scheme, the longest host, a port and a slash.
const MAX_ORIGIN_BYTES: usize = "https://:65535/".len() + MAX_HOST_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_a_host_and_a_port_that_is_not_the_default() {
        for (url, expected) in [
            ("https://pds.example.com", "https://pds.example.com"),
            ("https://pds.example.com/", "https://pds.example.com"),
            ("HTTPS://PDS.Example.com:443", "https://pds.example.com"),
            ("https://pds.example.com:80", "https://pds.example.com:80"),
            ("http://localhost:2583", "http://localhost:2583"),
            ("http://localhost:80", "http://localhost"),
            ("http://127.0.0.1:02583", "http://127.0.0.1:2583"),
            ("http://[::1]:2583/", "http://[::1]:2583"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(origin(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn a_url_with_anything_else_has_no_origin() {
        let long = format!("https://{}.com", vec!["a".repeat(63); 4].join("."));
        let label = format!("https://{}.com", "a".repeat(64));
        for url in [
            "",
            "pds.example.com",
            "ftp://a.b",
            "https:",
            "https://",
            "https:///",
            "https://a.b//",
            "https://a.b/xrpc",
            "https://a.b?x",
            "https://a.b#x",
            "https://user@a.b",
            "https://user:pass@a.b",
            "https://a.b:",
            "https://a.b:0",
            "https://a.b:65536",
            "https://a.b:+1",
            "https://a.b:80:80",
            "https://a..b",
            "https://.",
            "https://a b",
            "https://\u{e9}.com",
            "https://a.b\n",
            " https://a.b",
            "https://[::1",
            "https://[::g]",
            "https://[]",
            "https://a%2eb",
            "https://a\\b",
            &long,
            &label,
        ] {
            assert_eq!(origin(url), None, "{url:?}");
        }
        let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        let url = format!("https://{longest}:65535/");
        assert_eq!(url.len(), MAX_ORIGIN_BYTES);
        assert!(origin(&url).is_some());
    }

    #[test]
    fn only_valid_handles_are_handles() {
        let names =
            ["at://b.example", "https://b.example", "at://x", "at://a.example/", "at://A.b"];
        let found: Vec<String> = handles(names.into_iter()).map(|one| one.to_string()).collect();
        assert_eq!(found, ["b.example", "A.b"]);
    }
}
