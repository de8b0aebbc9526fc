//! Redirects: few of them, only for reads without a credential, and never from https to http.

use crate::error::{Error, Result};
use crate::escape::cut;
use crate::host::Host;
use crate::request::{Method, Request};
use crate::response::Response;

/// Returns the target of a redirect, if the answer is one.
pub(crate) fn target(response: &Response) -> Option<&str> {
    let is_redirect = matches!(response.status(), 301 | 302 | 303 | 307 | 308);
    if is_redirect { Some(response.header("location").unwrap_or_default()) } else { None }
}

/// Returns the host and the path of the next request.
///
/// # Errors
///
/// [`Error::Redirect`] if the redirect is not followed.
pub(crate) fn next(
    request: &Request<'_>,
    host: &Host,
    url: &str,
    to: &str,
    hops: u32,
) -> Result<(Host, String)> {
    let refuse = |reason| Err(refusal(url, to, reason));
    if request.method != Method::Get || request.has_credential() {
        return refuse("only reads without a credential follow a redirect");
    }
    if hops >= request.bounds.redirects {
        return refuse("there are too many redirects");
    }
    let Some((next, target)) = parse(host, to) else {
        return refuse("its target is not a URL");
    };
    if host.is_https() && !next.is_https() {
        return refuse("its target is not encrypted");
    }
    Ok((next, target))
}

/// Returns the error of a redirect that is not followed.
pub(crate) fn refusal(url: &str, to: &str, reason: &'static str) -> Error {
    Error::Redirect { url: url.to_owned(), to: cut(to, 256).to_owned(), reason }
}

/// Parses an absolute URL, or a path on the same host.
fn parse(host: &Host, to: &str) -> Option<(Host, String)> {
    let to = to.split('#').next().unwrap_or_default();
    if !to.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    if to.starts_with('/') && !to.starts_with("//") {
        return Some((host.clone(), to.to_owned()));
    }
    let authority = to.find("://")? + 3;
    let end = to.get(authority..)?.find(['/', '?']).map_or(to.len(), |at| authority + at);
    let next = to.get(..end)?.parse().ok()?;
    let target = to.get(end..)?;
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Some((next, target))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::request::Bounds;

    #[test]
    fn targets() {
        let host: Host = "https://a.com".parse().unwrap();
        let parsed = |to| parse(&host, to).map(|(host, target)| format!("{host} {target}"));
        assert_eq!(parsed("/x?y=z#f").unwrap(), "https://a.com /x?y=z");
        assert_eq!(parsed("https://b.com").unwrap(), "https://b.com /");
        assert_eq!(parsed("https://b.com:444?q").unwrap(), "https://b.com:444 /?q");
        assert_eq!(parsed("http://b.com/x").unwrap(), "http://b.com /x");
        for bad in ["", "//b.com/x", "x", "https://u@b.com/", "file:///etc", "/a b", "https://2/"] {
            assert!(parsed(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_credential_never_follows_a_redirect() {
        let host: Host = "https://a.com".parse().unwrap();
        let read = Request::query(&host, "a.b.c", Bounds::JSON);
        let follow = |request: &Request<'_>, to, hops| next(request, &host, "u", to, hops);
        assert!(follow(&read, "/x", 2).is_ok());
        assert!(follow(&read, "/x", 3).is_err());
        assert!(follow(&read, "http://a.com/x", 0).is_err());
        let with = read.clone().header("Authorization", "Bearer x".to_owned());
        assert!(follow(&with, "/x", 0).is_err());
        let write = Request::procedure(&host, "a.b.c", "application/json", b"{}", Bounds::JSON);
        assert!(follow(&write, "/x", 0).is_err());
    }
}
