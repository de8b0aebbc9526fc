//! The proxy for https, from the options or the environment.
//!
//! `HTTPS_PROXY` and `NO_PROXY` are read. `HTTP_PROXY` and `ALL_PROXY` are not: they are often set for other programs.
//! A proxy resolves names itself, so it decides which addresses are reached.

use std::env;

use ureq::{Proxy, ProxyProtocol};

use crate::error::{Error, Result};
use crate::options::ProxyOptions;

/// Returns the proxy that the options name.
///
/// # Errors
///
/// [`Error::Setting`] if the URL is not one of an HTTP proxy.
pub(crate) fn proxy(options: &ProxyOptions) -> Result<Option<Proxy>> {
    match options {
        ProxyOptions::Direct => Ok(None),
        ProxyOptions::Proxy { url, except } => parse(url, except).map(Some),
        ProxyOptions::Environment => match variable("HTTPS_PROXY") {
            Some(url) => parse(&url, &variable("NO_PROXY").unwrap_or_default()).map(Some),
            None => Ok(None),
        },
    }
}

/// Returns the value of a variable, which may also have its name in lower case.
fn variable(name: &str) -> Option<String> {
    let value = env::var(name).or_else(|_| env::var(name.to_ascii_lowercase()));
    value.ok().filter(|value| !value.trim().is_empty())
}

fn parse(url: &str, except: &str) -> Result<Proxy> {
    // The URL is not repeated: it may hold a password.
    let wrong = |reason: &str| Error::Setting {
        name: "HTTPS_PROXY",
        reason: format!("{reason}; set it to http://HOST:PORT, or unset it"),
    };
    let parsed = Proxy::new(url.trim()).map_err(|_| wrong("it is not the URL of a proxy"))?;
    if !matches!(parsed.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return Err(wrong("only http and https proxies are supported"));
    }
    let mut builder = Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(name) = parsed.username() {
        builder = builder.username(name);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for host in except.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        builder = builder.no_proxy(host);
    }
    builder.build().map_err(|_| wrong("it is not the URL of a proxy"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn proxies_of_the_user() {
        let proxy = parse("http://me:s%40@proxy.corp:3128", "a.com, .b.com").unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy.corp", 3128));
        assert_eq!((proxy.username(), proxy.password()), (Some("me"), Some("s@")));
        let is_direct = |url: &str| proxy.is_no_proxy(&url.parse().unwrap());
        assert!(is_direct("https://a.com/x") && is_direct("https://x.b.com"));
        assert!(!is_direct("https://c.com"));
        let error = parse("socks5://me:secret@proxy", "").unwrap_err().to_string();
        assert!(
            error.starts_with("HTTPS_PROXY: only http") && !error.contains("secret"),
            "{error}"
        );
        assert!(parse("not a url", "").is_err());
    }
}
