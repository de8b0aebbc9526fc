//! Record paths: collection and record key.

use std::cmp::Ordering;
use std::fmt;
use std::iter;
use std::str::{self, FromStr};

use crate::syntax::error::SyntaxError;
use crate::syntax::nsid::Nsid;
use crate::syntax::record_key::RecordKey;
use crate::syntax::{nsid, record_key};

/// The path of a record within its repository: `collection/rkey`.
///
/// Paths are the keys of the tree, so the order of two paths is the byte order of their texts. That
/// differs from the order of (collection, rkey) pairs, because `.` and `-` sort before the slash:
/// `com.example.post.a/1` comes before `com.example.post/1`.
///
/// A repository also requires that the collection is normalized. That is no rule of the syntax:
/// check [`Nsid::is_normalized`] separately. A path has at most 830 bytes.
///
/// Spec: [Repository, "Repository Paths"](https://atproto.com/specs/repository).
///
/// ```
/// use pds::syntax::RecordPath;
///
/// let path: RecordPath = "app.bsky.feed.post/3jzfcijpj2z2a".parse()?;
/// assert_eq!(path.collection.as_str(), "app.bsky.feed.post");
/// assert_eq!(path.rkey.as_str(), "3jzfcijpj2z2a");
/// assert_eq!(path.to_string(), "app.bsky.feed.post/3jzfcijpj2z2a");
/// # Ok::<(), pds::syntax::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordPath {
    /// The first segment: the kind of the record.
    pub collection: Nsid,
    /// The second segment: the name of the record within its collection.
    pub rkey: RecordKey,
}

impl RecordPath {
    /// Joins a collection and a record key. Any two of them make a valid path.
    pub fn new(collection: Nsid, rkey: RecordKey) -> Self {
        Self { collection, rkey }
    }

    /// Returns the key of this path in the tree: the bytes of its text.
    #[must_use]
    pub fn to_key(&self) -> Vec<u8> {
        [self.collection.as_str(), self.rkey.as_str()].join("/").into_bytes()
    }

    /// Parses a key of the tree. The rules are those of the text form.
    pub fn from_bytes(path: &[u8]) -> Result<Self, SyntaxError> {
        check_record_path(path)?;
        let error = |reason| SyntaxError::from_bytes(EXPECTED, path, reason);
        let text = str::from_utf8(path).map_err(|_| error(ONLY_ASCII))?;
        let (collection, rkey) = text.split_once('/').ok_or_else(|| error(TWO_SEGMENTS))?;
        Ok(Self { collection: Nsid::from_checked(collection), rkey: RecordKey::from_checked(rkey) })
    }
}

impl FromStr for RecordPath {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for RecordPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection.as_str(), self.rkey.as_str())
    }
}

impl Ord for RecordPath {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.collection == other.collection {
            return self.rkey.cmp(&other.rkey);
        }
        // No collection contains a slash, so the two differ at the end of the shorter one or before
        // it.
        with_slash(&self.collection).cmp(with_slash(&other.collection))
    }
}

impl PartialOrd for RecordPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

pub(crate) fn check(path: &[u8]) -> Result<(), &'static str> {
    if path.len() > MAX_BYTES {
        return Err("a record path has at most 830 bytes");
    }
    let mut segments = path.splitn(2, |byte| *byte == b'/');
    let (Some(collection), Some(rkey)) = (segments.next(), segments.next()) else {
        return Err(TWO_SEGMENTS);
    };
    nsid::check(collection)?;
    record_key::check(rkey).map_err(
        |reason| {
            if rkey.contains(&b'/') { TWO_SEGMENTS } else { reason }
        },
    )
}

fn with_slash(collection: &Nsid) -> impl Iterator<Item = u8> {
    collection.as_str().bytes().chain(iter::once(b'/'))
}

pub(crate) const EXPECTED: &str = "record path";
/// The length of the longest NSID, a slash and the longest record key.
const MAX_BYTES: usize = 317 + 1 + 512;
const TWO_SEGMENTS: &str = "a record path is a collection, a slash and a record key";
const ONLY_ASCII: &str = "a record path holds only ASCII";

/// Checks that `path` is the text of a [`RecordPath`], without constructing one.
///
/// Verifying a repository calls this for every key of the tree. It allocates only for the error.
pub fn check_record_path(path: &[u8]) -> Result<(), SyntaxError> {
    check(path).map_err(|reason| SyntaxError::from_bytes(EXPECTED, path, reason))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path() -> impl Strategy<Value = RecordPath> {
        // Few letters, so that collections are often equal or prefixes of each other.
        let collection = "a\\.[ab0](-?[aA0]){0,1}(\\.[ab0]){0,2}\\.[abA]{1,2}";
        (collection, "[aA0.:~_-]{0,3}a").prop_map(|(collection, rkey)| {
            RecordPath::new(collection.parse().unwrap(), rkey.parse().unwrap())
        })
    }

    #[test]
    fn length_limits() {
        let labels = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        let of_rkey = |len| format!("{labels}.{}/{}", "n".repeat(63), "k".repeat(len));
        assert_eq!(of_rkey(512).len(), 830);
        assert!(of_rkey(512).parse::<RecordPath>().is_ok());
        assert!(of_rkey(513).parse::<RecordPath>().is_err());
        assert!(format!("a.b.c/{}", "k".repeat(512)).parse::<RecordPath>().is_ok());
        assert!(format!("a.b.c/{}", "k".repeat(513)).parse::<RecordPath>().is_err());
    }

    #[test]
    fn exactly_two_segments() {
        for bad in [
            "",
            "/",
            "a.b.c",
            "a.b.c/",
            "/self",
            "/a.b.c/self",
            "a.b.c/self/",
            "a.b.c//self",
            "a.b.c/x/y",
            "a.b/self",
            "a.b.c/..",
            "a.b.c/x y",
            "a.b.c/é",
        ] {
            assert!(bad.parse::<RecordPath>().is_err(), "{bad}");
        }
        assert!("a.b.c/:".parse::<RecordPath>().is_ok());
        let error = "a.b.c/x/y".parse::<RecordPath>().unwrap_err();
        assert_eq!(error.reason, TWO_SEGMENTS);
    }

    #[test]
    fn order_is_not_that_of_the_pair() {
        let long: RecordPath = "com.example.post.a/1".parse().unwrap();
        let short: RecordPath = "com.example.post/1".parse().unwrap();
        assert!(long < short);
        assert!(long.collection > short.collection);
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_text(left in path(), right in path()) {
            prop_assert_eq!(left.cmp(&right), left.to_string().cmp(&right.to_string()));
            prop_assert_eq!(left == right, left.cmp(&right).is_eq());
        }

        #[test]
        fn round_trip(path in path()) {
            let text = path.to_string();
            prop_assert_eq!(&text.parse::<RecordPath>().unwrap(), &path);
            prop_assert_eq!(RecordPath::from_bytes(text.as_bytes()).unwrap(), path);
        }

        #[test]
        fn a_path_is_its_two_parts(collection in "[a-c.A/-]{0,8}", rkey in "[a-c./ ]{0,3}") {
            let text = format!("{collection}/{rkey}");
            let parts = collection.parse::<Nsid>().is_ok() && rkey.parse::<RecordKey>().is_ok();
            prop_assert_eq!(text.parse::<RecordPath>().is_ok(), parts);
        }

        #[test]
        fn never_panics(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(
                RecordPath::from_bytes(&bytes).err(),
                check_record_path(&bytes).err()
            );
        }
    }
}
