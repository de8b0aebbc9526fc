//! The origin of a server: scheme, name and port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::escape::{Escaped, cut};

/// A text that is not the URL of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not the URL of a host: {reason}", Escaped(.url))]
pub struct UrlError {
    /// The text, cut to 256 bytes.
    pub url: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

/// A server: `https://` or `http://`, a name or an IP address, and a port.
///
/// A host has no user, path or query, and its name is in lower case. An IP address has its usual spelling: other
/// spellings, such as `2130706433` or `0x7f.1`, are refused. Whether the host may be dialled is another question, which
/// every request asks again: see [`PrivateAddresses`](crate::private_addresses::PrivateAddresses).
///
/// ```
/// use pds_net::host::Host;
///
/// let host: Host = "https://Bsky.Social/".parse()?;
/// assert_eq!((host.to_string().as_str(), host.port()), ("https://bsky.social", 443));
/// assert!("https://0x7f.1".parse::<Host>().is_err());
/// # Ok::<(), pds_net::host::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    is_https: bool,
    name: Box<str>,
    port: u16,
}

impl Host {
    /// Returns the https server with this name.
    ///
    /// # Errors
    ///
    /// The rule, if the text is not the name of a host.
    pub fn https(name: &str) -> Result<Self, UrlError> {
        let text = format!("https://{name}");
        let host: Self = text.parse()?;
        if host.port == 443 { Ok(host) } else { Err(wrong(&text, "a name has no port")) }
    }

    /// Returns whether the connection is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Returns the name in lower case, or the IP address. An IPv6 address has brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the IP address, if the host is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        literal(&self.name)
    }

    /// Returns a name for files of this host: `name`, or `name_port` if the port is unusual.
    #[must_use]
    pub fn file_name(&self) -> String {
        let name = self.name.replace(['[', ']', ':'], "-");
        if self.port == default_port(self.is_https) {
            name
        } else {
            format!("{name}_{}", self.port)
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.name)?;
        if self.port == default_port(self.is_https) { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl FromStr for Host {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (is_https, rest) = if let Some(rest) = strip_scheme(text, "https://") {
            (true, rest)
        } else if let Some(rest) = strip_scheme(text, "http://") {
            (false, rest)
        } else {
            return Err(wrong(text, "the URL of a host begins with https://"));
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(wrong(text, "the URL of a host has no user"));
        }
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            None => default_port(is_https),
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| wrong(text, "a port is at most 65535"))?,
            Some(_) => return Err(wrong(text, "a port is a number")),
        };
        let name = name.to_ascii_lowercase().into_boxed_str();
        check_name(&name).map_err(|reason| wrong(text, reason))?;
        Ok(Self { is_https, name, port })
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn wrong(url: &str, reason: &'static str) -> UrlError {
    UrlError { url: cut(url, 256).to_owned(), reason }
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// Returns the IP address that a name is.
pub(crate) fn literal(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => name.parse().ok().filter(IpAddr::is_ipv4),
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if literal(name).is_some() {
        return Ok(());
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_part)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err("the name of a host has letters, digits and hyphens between dots");
    }
    // The C library takes such names for an IPv4 address in another spelling.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(is_hexadecimal)
    {
        return Err("the last label of a name is not a number");
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_host_has_one_form(text in "(https?://)?[a-zA-Z0-9.\\[\\]:@/x-]{0,20}|\\PC{0,30}") {
            if let Ok(host) = text.parse::<Host>() {
                prop_assert_eq!(host.to_string().parse::<Host>().unwrap(), host.clone());
                let file = host.file_name();
                let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                prop_assert!(file.bytes().all(is_safe) && !file.starts_with('.'), "{}", file);
            }
        }
    }

    #[test]
    fn one_form_of_each_host() {
        for (text, shown, file) in [
            ("https://a.com", "https://a.com", "a.com"),
            ("HTTPS://A.com:443/", "https://a.com", "a.com"),
            ("https://a.com:8443", "https://a.com:8443", "a.com_8443"),
            ("http://localhost:2583", "http://localhost:2583", "localhost_2583"),
            ("http://127.0.0.1", "http://127.0.0.1", "127.0.0.1"),
            ("http://[::1]:80", "http://[::1]", "---1-"),
            ("http://[::1]:81", "http://[::1]:81", "---1-_81"),
        ] {
            let host: Host = text.parse().unwrap();
            assert_eq!((host.to_string().as_str(), host.file_name().as_str()), (shown, file));
            assert_eq!(shown.parse::<Host>().unwrap(), host);
        }
    }

    #[test]
    fn refusals() {
        for bad in [
            "",
            "a.com",
            "ftp://a.com",
            "https://",
            "https://u@a.com",
            "https://u:p@a.com",
            "https://a.com/x",
            "https://a.com?x",
            "https://a.com#x",
            "https://a.com:0",
            "https://a.com:65536",
            "https://a.com:+1",
            "https://a.com:",
            "https://a..com",
            "https://a.com.",
            "https://-a.com",
            "https://a_b.com",
            "https://2130706433",
            "https://0x7f000001",
            "https://0x7f.1",
            "https://0177.0.0.1",
            "https://127.1",
            "https://1.2.3.4.5",
            "https://a.0x",
            "https://::1",
            "https://[::1",
            "https://[fe80::1%25eth0]",
            "https://[127.0.0.1]",
            "https://\u{ff11}27.0.0.1",
            "https://a.com\r\nx: y",
            "https://a.com\\@b.com",
        ] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}
