//! The records that URLs of bsky.app name.

use pds::syntax::{AtIdentifier, Nsid, RecordKey};

/// A record as a URL names it.
pub(crate) struct UrlTarget {
    pub(crate) authority: AtIdentifier,
    pub(crate) collection: Nsid,
    pub(crate) rkey: RecordKey,
}

/// Tells whether a text is a URL, which is neither a path nor an at-uri.
pub(crate) fn is_url(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme))
}

/// Parses the URL of a page that shows one record. What the page adds after `?` or `#` has no meaning here.
pub(crate) fn parse(url: &str) -> Result<UrlTarget, String> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let page = url.get(..end).unwrap_or(url);
    let Some(path) = page.strip_prefix("https://bsky.app/") else {
        return Err("only URLs of https://bsky.app name records; use the at-uri".to_owned());
    };
    let parts: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let (authority, collection, rkey) = match parts[..] {
        ["profile", authority] => (authority, "app.bsky.actor.profile", "self"),
        ["profile", authority, kind, rkey] => {
            let is_it = |(name, _): &&(&str, &str)| *name == kind;
            let Some((_, collection)) = PAGES.iter().find(is_it) else {
                return Err(format!("pages of the kind {kind} name no record; use the at-uri"));
            };
            (authority, *collection, rkey)
        }
        ["starter-pack" | "start", authority, rkey] => {
            (authority, "app.bsky.graph.starterpack", rkey)
        }
        ["starter-pack-short", _] => {
            return Err(
                "a short link must be opened online; use the long URL that it leads to".to_owned()
            );
        }
        _ => return Err(format!("the forms are {FORMS}")),
    };
    let authority = authority.replace("%3A", ":").replace("%3a", ":");
    let reason = |error: pds::syntax::SyntaxError| error.to_string();
    Ok(UrlTarget {
        authority: authority.parse().map_err(reason)?,
        collection: collection.parse().map_err(reason)?,
        rkey: rkey.parse().map_err(reason)?,
    })
}

/// The pages below a profile that show one record, with its collection.
const PAGES: [(&str, &str); 3] = [
    ("post", "app.bsky.feed.post"),
    ("feed", "app.bsky.feed.generator"),
    ("lists", "app.bsky.graph.list"),
];

const FORMS: &str = "https://bsky.app/profile/DID, with /post/RKEY, /feed/RKEY or /lists/RKEY after it, and \
    https://bsky.app/starter-pack/DID/RKEY";

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Result<String, String> {
        let UrlTarget { authority, collection, rkey } = parse(url)?;
        Ok(format!("at://{authority}/{collection}/{rkey}"))
    }

    #[test]
    fn each_page_names_its_record() {
        for (page, expected) in [
            ("profile/did:plc:x7", "at://did:plc:x7/app.bsky.actor.profile/self"),
            ("profile/a.example.com/", "at://a.example.com/app.bsky.actor.profile/self"),
            ("profile/a.example.com/post/3k", "at://a.example.com/app.bsky.feed.post/3k"),
            ("profile/did%3Aplc%3Ax7/post/3k?ref=a#b", "at://did:plc:x7/app.bsky.feed.post/3k"),
            ("profile/did:plc:x7/feed/best", "at://did:plc:x7/app.bsky.feed.generator/best"),
            ("profile/did:plc:x7/lists/3k", "at://did:plc:x7/app.bsky.graph.list/3k"),
            ("starter-pack/a.example.com/3k", "at://a.example.com/app.bsky.graph.starterpack/3k"),
            ("start/a.example.com/3k", "at://a.example.com/app.bsky.graph.starterpack/3k"),
        ] {
            assert_eq!(shown(&format!("https://bsky.app/{page}")), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "https://bsky.app",
            "https://bsky.app/",
            "https://bsky.app/profile",
            "https://bsky.app/profile/",
            "https://bsky.app/profile/x",
            "https://bsky.app/profile/did:plc:x7/post",
            "http://bsky.app/profile/did:plc:x7",
            "https://bsky.app/profile/did:plc:x7/post/",
            "https://bsky.app/profile/did:plc:x7/post/a b",
            "https://bsky.app/profile/did:plc:x7/post/3k/liked-by",
            "https://bsky.app/profile/did:plc:x7/likes/3k",
            "https://bsky.app/starter-pack-short/abc",
            "https://bsky.app.example.com/profile/did:plc:x7",
            "https://bsky.app/profile/did:plc:x7//3k",
            "https://bsky.app/profile/../post/3k",
        ] {
            assert!(shown(url).is_err(), "{url}");
        }
    }
}
