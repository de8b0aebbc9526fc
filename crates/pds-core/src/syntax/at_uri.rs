//! AT-URIs: `at://AUTHORITY/COLLECTION/RKEY`.

use std::str::FromStr;

use crate::syntax::did::Did;
use crate::syntax::error::SyntaxError;
use crate::syntax::handle::Handle;
use crate::syntax::nsid::Nsid;
use crate::syntax::record_key::RecordKey;
use crate::syntax::record_path::RecordPath;

/// The name of an account: a DID or a handle.
///
/// Text that starts with `did:` is parsed as a DID, any other text as a handle.
///
/// Spec: [Lexicon, "at-identifier"](https://atproto.com/specs/lexicon#at-identifier).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AtIdentifier {
    /// The permanent name of the account.
    Did(Did),
    /// The domain name, which may move to another account.
    Handle(Handle),
}

impl AtIdentifier {
    /// Returns the text exactly as it was parsed.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Did(did) => did.as_str(),
            Self::Handle(handle) => handle.as_str(),
        }
    }
}

impl FromStr for AtIdentifier {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let parsed = if text.starts_with("did:") {
            text.parse().map(Self::Did)
        } else {
            text.parse().map(Self::Handle)
        };
        parsed.map_err(|error: SyntaxError| SyntaxError { expected: "DID or handle", ..error })
    }
}

impl TryFrom<String> for AtIdentifier {
    type Error = SyntaxError;

    fn try_from(text: String) -> Result<Self, SyntaxError> {
        text.parse()
    }
}

text_conversions!(AtIdentifier);

impl From<Did> for AtIdentifier {
    fn from(did: Did) -> Self {
        Self::Did(did)
    }
}

impl From<Handle> for AtIdentifier {
    fn from(handle: Handle) -> Self {
        Self::Handle(handle)
    }
}

/// An AT URI: the address of an account, of one of its collections, or of one of its records,
/// such as `at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a`.
///
/// This is the restricted form that records use: no query, no fragment, no trailing slash, and at
/// most 8,192 bytes. An address by handle is valid but only as durable as the handle.
///
/// Spec: [AT URI, "Restricted AT URI Syntax"](https://atproto.com/specs/at-uri-scheme).
///
/// ```
/// use pds::syntax::AtUri;
///
/// let uri: AtUri = "at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a".parse()?;
/// assert_eq!(uri.authority().as_str(), "alice.example.com");
/// assert_eq!(uri.collection().map(|nsid| nsid.name()), Some("post"));
/// assert_eq!(uri.rkey().map(|rkey| rkey.as_str()), Some("3jzfcijpj2z2a"));
/// assert!("at://alice.example.com/".parse::<AtUri>().is_err());
/// # Ok::<(), pds::syntax::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AtUri {
    // The first field, so that the derived order is the order of the text. The other fields are the
    // parsed parts of it.
    text: Box<str>,
    authority: AtIdentifier,
    collection: Option<Nsid>,
    rkey: Option<RecordKey>,
}

impl AtUri {
    /// Returns the address of a record.
    pub fn record(did: &Did, path: &RecordPath) -> Self {
        // The longest valid parts together are within the limit of a URI.
        Self {
            text: format!("{SCHEME}{did}/{path}").into_boxed_str(),
            authority: AtIdentifier::Did(did.clone()),
            collection: Some(path.collection.clone()),
            rkey: Some(path.rkey.clone()),
        }
    }

    /// Returns the text exactly as it was parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the account.
    pub fn authority(&self) -> &AtIdentifier {
        &self.authority
    }

    /// Returns the collection, or `None` if this is the address of an account.
    pub fn collection(&self) -> Option<&Nsid> {
        self.collection.as_ref()
    }

    /// Returns the record key, or `None` if this is not the address of a record.
    pub fn rkey(&self) -> Option<&RecordKey> {
        self.rkey.as_ref()
    }

    /// Returns the path within the repository, or `None` if this is not the address of a record.
    pub fn record_path(&self) -> Option<RecordPath> {
        Some(RecordPath::new(self.collection.clone()?, self.rkey.clone()?))
    }
}

impl FromStr for AtUri {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let error = |reason| SyntaxError::new("AT URI", text, reason);
        let part = |part: SyntaxError| error(part.reason);

        // The length is checked first, so that the parser never reads unbounded input.
        if text.len() > MAX_BYTES {
            return Err(error("an AT URI has at most 8192 bytes"));
        }
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(error("an AT URI starts with at://"));
        };
        if rest.ends_with('/') {
            return Err(error("an AT URI does not end with a slash"));
        }
        let mut segments = rest.split('/');
        let authority = segments.next().unwrap_or_default().parse().map_err(part)?;
        let collection = segments.next().map(str::parse).transpose().map_err(part)?;
        let rkey = segments.next().map(str::parse).transpose().map_err(part)?;
        if segments.next().is_some() {
            return Err(error("an AT URI has at most a collection and a record key"));
        }
        Ok(Self { text: text.into(), authority, collection, rkey })
    }
}

impl TryFrom<String> for AtUri {
    type Error = SyntaxError;

    fn try_from(text: String) -> Result<Self, SyntaxError> {
        text.parse()
    }
}

text_conversions!(AtUri);

const SCHEME: &str = "at://";
const MAX_BYTES: usize = 8192;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_parts_fit() {
        let did = format!("did:plc:{}", "v".repeat(2040)).parse().unwrap();
        let labels = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        let path = format!("{labels}.{}/{}", "n".repeat(63), "k".repeat(512)).parse().unwrap();
        let uri = AtUri::record(&did, &path);
        assert_eq!(uri.as_str().parse::<AtUri>().unwrap(), uri);
        assert!(uri.as_str().len() <= MAX_BYTES);
    }

    #[test]
    fn length_limit() {
        let reason = |len: usize| {
            let text = format!("at://did:plc:{}", "v".repeat(len - 13));
            text.parse::<AtUri>().unwrap_err().reason
        };
        assert_eq!(reason(8192), "a DID has at most 2048 bytes");
        assert_eq!(reason(8193), "an AT URI has at most 8192 bytes");
    }

    #[test]
    fn refusals() {
        for bad in [
            "",
            "at://",
            "at:///",
            "AT://a.b",
            "at://a.b/",
            "at://a.b//",
            "at://a.b//x",
            "at://a.b#x",
            "at://a.b?x",
            "at://u@a.b",
            "at://a.b:80",
            "at://a.b/x.y.z/",
            "at://a.b/x.y.z/k/",
            "at://a.b/x.y.z/k/l",
            "at://a.b/x.y.z/k?q",
            "at://a.b/x.y.z/k#f",
            "at://a.b/x.y.z/..",
        ] {
            assert!(bad.parse::<AtUri>().is_err(), "{bad}");
        }
    }

    #[test]
    fn error_is_about_the_uri() {
        let error = "at://a.b/x.y".parse::<AtUri>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"not an AT URI: "at://a.b/x.y": an NSID has at least three segments"#
        );
        let error = "alice".parse::<AtIdentifier>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"not a DID or handle: "alice": a handle has at least two labels"#
        );
    }

    proptest! {
        #[test]
        fn round_trip(
            authority in "did:[a-z]{1,5}:[a-z0-9]{1,9}|[a-z0-9]{1,9}\\.[a-z]{1,5}",
            collection in proptest::option::of("[a-z]{1,5}\\.[a-z]{1,5}\\.[a-zA-Z]{1,5}"),
            rkey in "[a-z0-9:_~-]{1,9}",
        ) {
            let mut text = format!("at://{authority}");
            for part in collection.iter().flat_map(|collection| [collection, &rkey]) {
                text = format!("{text}/{part}");
                let uri = AtUri::try_from(text.clone()).unwrap();
                prop_assert_eq!(uri.to_string(), text.clone());
            }
            let uri: AtUri = text.parse().unwrap();
            prop_assert_eq!(uri.to_string(), text);
            prop_assert_eq!(uri.authority().as_str(), authority);
            prop_assert_eq!(uri.collection().map(Nsid::as_str), collection.as_deref());
            if let AtIdentifier::Did(did) = uri.authority()
                && let Some(path) = uri.record_path()
            {
                prop_assert_eq!(AtUri::record(did, &path), uri);
            }
        }

        #[test]
        fn order_is_that_of_the_text(
            left in "at://(did:a:b|a\\.b)(/[xy]\\.[xy-]?y\\.z(/[.:a]?k)?)?",
            right in "at://(did:a:b|a\\.b)(/[xy]\\.[xy-]?y\\.z(/[.:a]?k)?)?",
        ) {
            if let (Ok(l), Ok(r)) = (left.parse::<AtUri>(), right.parse::<AtUri>()) {
                prop_assert_eq!(l.cmp(&r), left.cmp(&right));
            }
        }

        #[test]
        fn never_panics(text in any::<String>(), rest in "[a-z.:/#é]{0,20}") {
            let _ = text.parse::<AtIdentifier>();
            let _ = text.parse::<AtUri>();
            let _ = format!("at://a.b/{rest}").parse::<AtUri>();
        }
    }
}
