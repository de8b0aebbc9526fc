//! What a user may write to name an account or a host.

use std::fmt;
use std::str::FromStr;

use pds_core::syntax::at_uri::{AtIdentifier, AtUri};
use pds_core::syntax::did::Did;
use pds_core::syntax::handle::Handle;

use crate::host::Host;

/// An account, or a host with all of its accounts.
///
/// ```
/// use pds_net::resolve::who::Who;
///
/// for text in ["alice.com", "@alice.com", "at://alice.com", "https://bsky.app/profile/alice.com"] {
///     assert_eq!(text.parse::<Who>()?, Who::Handle("alice.com".parse().unwrap()));
/// }
/// assert!(matches!("https://pds.example.com".parse()?, Who::Host(_)));
/// # Ok::<(), pds_net::resolve::who::WhoError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The account with this DID.
    Did(Did),
    /// The account with this handle.
    Handle(Handle),
    /// All accounts of this host.
    Host(Host),
}

/// A text that names neither an account nor a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no account: {reason}")]
pub struct WhoError {
    /// The text, cut to 256 characters.
    pub text: String,
    /// The reason, or the forms of an account.
    pub reason: &'static str,
}

/// The forms of a text that names an account or a host.
const FORMS: &str = "use a handle, a DID, an at-uri, a bsky.app URL, or the URL of a host";

/// The web pages whose addresses name accounts.
const PAGES: [&str; 2] = ["https://bsky.app/profile/", "https://main.bsky.dev/profile/"];

impl FromStr for Who {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        let fault = |reason| WhoError { text: text.chars().take(256).collect(), reason };
        let who = parse(text).ok_or_else(|| fault(FORMS))?;
        match &who {
            Self::Did(did) if !matches!(did.method(), "plc" | "web") => {
                Err(fault("only did:plc and did:web have accounts"))
            }
            Self::Did(did) => did.account_fault().map_or(Ok(()), |reason| Err(fault(reason))),
            _ => Ok(()),
        }?;
        Ok(who)
    }
}

fn parse(text: &str) -> Option<Who> {
    if text.starts_with("at://") {
        let uri: AtUri = text.parse().ok()?;
        return Some(uri.authority().clone().into());
    }
    for page in PAGES {
        if let Some(rest) = text.strip_prefix(page) {
            let account = rest.split(['/', '?', '#']).next()?;
            return account.parse().ok().map(AtIdentifier::into);
        }
    }
    if text.contains("://") {
        return text.parse().ok().map(Who::Host);
    }
    let account = text.strip_prefix('@').unwrap_or(text);
    account.parse().ok().map(AtIdentifier::into)
}

impl From<AtIdentifier> for Who {
    fn from(account: AtIdentifier) -> Self {
        match account {
            AtIdentifier::Did(did) => Self::Did(did),
            AtIdentifier::Handle(handle) => Self::Handle(handle),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Did(did) => did.fmt(f),
            Self::Handle(handle) => handle.fmt(f),
            Self::Host(host) => host.fmt(f),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_understood_has_one_form(
            text in "(at://|@|https://(bsky.app/profile/)?)?[a-z0-9.:/@-]{0,20}|\\PC{0,30}"
        ) {
            if let Ok(who) = text.parse::<Who>() {
                prop_assert_eq!(who.to_string().parse::<Who>().unwrap(), who);
            }
        }
    }

    #[test]
    fn every_form_of_an_account() {
        let did = Who::Did("did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap());
        for text in [
            "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jui7kd54zh2y",
            "https://bsky.app/profile/did:plc:ewvi7nxzyoun6zhxrhs64oiz",
            "https://bsky.app/profile/did:plc:ewvi7nxzyoun6zhxrhs64oiz/post/3jui7kd54zh2y?x#y",
        ] {
            assert_eq!(text.parse::<Who>().unwrap(), did, "{text}");
        }
        let host = "https://pds.example.com:8443/".parse::<Who>().unwrap();
        assert_eq!(host.to_string(), "https://pds.example.com:8443");
        assert!(matches!("http://localhost:2583".parse().unwrap(), Who::Host(_)));
    }

    #[test]
    fn refusals() {
        for bad in [
            "",
            "@",
            "alice",
            "did:plc",
            "at://",
            "https://bsky.app/profile/",
            "https://bsky.app/profile/alice",
            "https://bsky.app/search",
            "https://user@pds.example.com",
            "ftp://pds.example.com",
            "../backup.car",
        ] {
            assert!(bad.parse::<Who>().is_err(), "{bad}");
        }
        for (bad, reason) in [
            ("did:plc:short", "a did:plc has 24 characters of a-z and 2-7"),
            ("at://did:web:a.com:b/x.y.z/1", "the did:web of an account has no path"),
            ("did:key:zabc", "only did:plc and did:web have accounts"),
        ] {
            assert_eq!(bad.parse::<Who>().unwrap_err().reason, reason, "{bad}");
        }
        let shown = "a\u{1b}b".parse::<Who>().unwrap_err().to_string();
        assert!(shown.starts_with(r#""a\u{1b}b" is no account"#), "{shown}");
    }
}
