//! One line that describes a record, for listings on a terminal.
//!
//! The texts come from records, so they may have line breaks and hostile characters. The caller prints them with the
//! functions of the terminal that show such characters, and cuts them to the width that is left.
//!
//! - [`describe`]: the content of a record in a few words: the text of a post, the account of a follow.
//! - [`attachments`]: what is embedded in a post: `2 images`, `link card`.
//! - [`changed_fields`]: the names of the top-level fields that differ between two versions.
//! - [`noun`]: a count with the short name of a collection: `2 posts`, `1 follow`, `6 survey.count`.
//! - [`short_did`]: the shortened DID of an account: `did:plc:zc3m…ptnm`.

use pds::data::Value;
use pds::syntax::{AtIdentifier, AtUri, Did};

/// Returns the content of a record in a few words. Returns an empty text if the record has nothing to show.
pub(crate) fn describe(collection: &str, value: &Value) -> String {
    match (collection, value.get("subject")) {
        ("app.bsky.feed.like" | "app.bsky.feed.repost", Some(subject)) => {
            subject.get("uri").and_then(Value::as_text).map_or_else(String::new, target)
        }
        (_, Some(Value::Text(subject))) if let Ok(did) = subject.parse::<Did>() => short_did(&did),
        _ => first_text(value).unwrap_or_else(|| scalars(value)),
    }
}

/// Returns what is embedded in a record, such as `2 images`, `video`, `link card` or `quote`.
pub(crate) fn attachments(value: &Value) -> Option<String> {
    let embed = value.get("embed")?;
    let media = media_of(embed.get("media").unwrap_or(embed));
    let quote = embed.get("record").map(|_| "quote".to_owned());
    match (media, quote) {
        (Some(media), Some(quote)) => Some(format!("{media}, {quote}")),
        (media, quote) => media.or(quote),
    }
}

/// Returns the names of the top-level fields that differ, in the order of the records.
///
/// Records that are not maps have no fields; `value` names the whole content then.
pub(crate) fn changed_fields<'a>(before: &'a Value, after: &'a Value) -> Vec<&'a str> {
    let (Some(old), Some(new)) = (before.as_map(), after.as_map()) else {
        return if before == after { Vec::new() } else { vec!["value"] };
    };
    let removed = old.keys().filter(|key| new.get(key).is_none());
    let mut fields: Vec<&str> = new.keys().filter(|key| old.get(key) != new.get(key)).collect();
    fields.extend(removed);
    // The order of a record: shorter names first, then by bytes.
    fields.sort_by_key(|key| (key.len(), *key));
    fields
}

/// Returns a count with the short name of a collection: `2 posts`, `1 follow`, `6 survey.count`.
pub(crate) fn noun(collection: &str, count: u64) -> String {
    match NOUNS.iter().find(|(name, ..)| *name == collection) {
        Some((_, one, _)) if count == 1 => format!("1 {one}"),
        Some((_, _, many)) => format!("{count} {many}"),
        None => format!("{count} {}", last_names(collection)),
    }
}

/// Returns the place of a collection in a summary: well-known collections first, in a fixed order.
pub(crate) fn rank(collection: &str) -> usize {
    NOUNS.iter().position(|(name, ..)| *name == collection).unwrap_or(NOUNS.len())
}

/// Returns a DID with its middle left out: `did:plc:zc3m…ptnm`. A short DID is returned whole.
pub(crate) fn short_did(did: &Did) -> String {
    let text = did.as_str();
    let (method, id) = text.split_at(text.rfind(':').map_or(0, |at| at + 1));
    let letters: Vec<char> = id.chars().collect();
    let is_plc = method == "did:plc:";
    let (head, tail) = if is_plc { (4, 4) } else { (12, 12) };
    if letters.len() <= head + tail + 1 && method.len() <= MAX_METHOD_BYTES {
        return text.to_owned();
    }
    let method: String = method.chars().take(MAX_METHOD_BYTES).collect();
    let start: String = letters.iter().take(head).collect();
    let end: String = letters.iter().skip(letters.len().saturating_sub(tail)).collect();
    format!("{method}{start}…{end}")
}

/// Describes the record that an at-uri names: `post of did:plc:zc3m…ptnm`.
fn target(uri: &str) -> String {
    let Ok(uri) = uri.parse::<AtUri>() else { return uri.chars().take(MAX_CHARS).collect() };
    let account = match uri.authority() {
        AtIdentifier::Did(did) => short_did(did),
        // A handle in a record identifies no account, so it is quoted.
        AtIdentifier::Handle(handle) => format!("\"{handle}\""),
    };
    match uri.collection().map(|collection| collection.as_str()) {
        None => account,
        Some(collection) => {
            let known = NOUNS.iter().find(|(name, ..)| *name == collection);
            let name =
                known.map_or_else(|| last_names(collection), |(_, one, _)| (*one).to_owned());
            format!("{name} of {account}")
        }
    }
}

/// Returns the last two names of a collection: `survey.count` of `example.shoreline.survey.count`.
fn last_names(collection: &str) -> String {
    let mut names = collection.rsplitn(3, '.');
    match (names.next(), names.next()) {
        (Some(last), Some(before)) => format!("{before}.{last}"),
        _ => collection.to_owned(),
    }
}

/// Returns the first text that people write into records.
fn first_text(value: &Value) -> Option<String> {
    let texts = TEXT_FIELDS.iter().filter_map(|field| value.get(field)?.as_text());
    texts
        .map(str::trim)
        .find(|text| !text.is_empty())
        .map(|text| text.chars().take(MAX_CHARS).collect())
}

/// Returns the numbers, texts and truth values of a record with their names.
fn scalars(value: &Value) -> String {
    let fields = value.as_map().into_iter().flat_map(|map| map.iter());
    let shown = fields.filter(|(name, _)| !matches!(*name, "$type" | "createdAt"));
    let texts = shown.filter_map(|(name, value)| {
        let name: String = name.chars().take(MAX_NAME_CHARS).collect();
        Some(match value {
            Value::Int(number) => format!("{name}: {number}"),
            Value::Bool(is) => format!("{name}: {is}"),
            Value::Text(text) => {
                format!("{name}: {}", text.chars().take(MAX_NAME_CHARS).collect::<String>())
            }
            _ => return None,
        })
    });
    texts.take(MAX_SCALARS).collect::<Vec<_>>().join(", ")
}

fn media_of(embed: &Value) -> Option<String> {
    let several = |field: &str, one: &str| {
        let count = embed.get(field)?.as_list()?.len();
        Some(if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") })
    };
    let is = |field: &str, name: &str| embed.get(field).map(|_| name.to_owned());
    several("images", "image")
        .or_else(|| is("video", "video"))
        .or_else(|| is("external", "link card"))
}

/// The well-known collections, with the names of one record and of several.
const NOUNS: [(&str, &str, &str); 14] = [
    ("app.bsky.feed.post", "post", "posts"),
    ("app.bsky.feed.like", "like", "likes"),
    ("app.bsky.feed.repost", "repost", "reposts"),
    ("app.bsky.graph.follow", "follow", "follows"),
    ("app.bsky.graph.block", "block", "blocks"),
    ("app.bsky.graph.list", "list", "lists"),
    ("app.bsky.graph.listitem", "list item", "list items"),
    ("app.bsky.graph.listblock", "list block", "list blocks"),
    ("app.bsky.graph.starterpack", "starter pack", "starter packs"),
    ("app.bsky.feed.generator", "feed", "feeds"),
    ("app.bsky.feed.threadgate", "thread gate", "thread gates"),
    ("app.bsky.feed.postgate", "post gate", "post gates"),
    ("app.bsky.actor.profile", "profile", "profiles"),
    ("com.whtwnd.blog.entry", "blog entry", "blog entries"),
];

/// The fields that people write texts into, the most telling first.
const TEXT_FIELDS: [&str; 8] =
    ["text", "title", "name", "displayName", "description", "summary", "content", "note"];

/// The longest text that is taken from a record. No screen shows more of it.
const MAX_CHARS: usize = 240;

const MAX_NAME_CHARS: usize = 40;

const MAX_SCALARS: usize = 4;

const MAX_METHOD_BYTES: usize = 24;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        Value::from_json(json).unwrap()
    }

    #[test]
    fn a_record_is_described_by_its_text_or_its_subject() {
        let did = "did:plc:zc3maypileo75kv67w5nptnm";
        let uri = format!("at://{did}/app.bsky.feed.post/3n3f24jgakn2b");
        for (collection, json, said) in [
            ("app.bsky.feed.post", r#"{"text": "hi\nthere"}"#.to_owned(), "hi\nthere"),
            (
                "app.bsky.feed.like",
                format!(r#"{{"subject": {{"uri": "{uri}"}}}}"#),
                "post of did:plc:zc3m…ptnm",
            ),
            ("app.bsky.feed.like", r#"{"subject": {"uri": "x"}}"#.to_owned(), "x"),
            ("app.bsky.feed.like", r#"{"subject": {"uri": 1}}"#.to_owned(), ""),
            ("app.bsky.graph.follow", format!(r#"{{"subject": "{did}"}}"#), "did:plc:zc3m…ptnm"),
            ("a.b.c", r#"{"$type": "a.b.c", "n": 3, "ok": true}"#.to_owned(), "n: 3, ok: true"),
            ("a.b.c", "{}".to_owned(), ""),
            ("app.bsky.feed.post", r#"{"text": "", "title": "t"}"#.to_owned(), "t"),
        ] {
            assert_eq!(describe(collection, &value(&json)), said, "{json}");
        }
        let long = format!(r#"{{"text": "{}"}}"#, "x".repeat(100_000));
        assert_eq!(describe("a.b.c", &value(&long)).len(), MAX_CHARS);
    }

    #[test]
    fn attachments_are_counted_and_named() {
        for (json, said) in [
            (r#"{"embed": {"images": [{}, {}]}}"#, Some("2 images")),
            (r#"{"embed": {"external": {}}}"#, Some("link card")),
            (r#"{"embed": {"record": {}}}"#, Some("quote")),
            (r#"{"embed": {"record": {}, "media": {"images": [{}]}}}"#, Some("1 image, quote")),
            (r#"{"embed": 1}"#, None),
            ("{}", None),
        ] {
            assert_eq!(attachments(&value(json)).as_deref(), said, "{json}");
        }
    }

    #[test]
    fn changed_fields_are_named_in_the_order_of_a_record() {
        let (old, new) =
            (r#"{"text": "a", "langs": 1, "x": 1}"#, r#"{"text": "b", "y": 2, "x": 1}"#);
        assert_eq!(changed_fields(&value(old), &value(new)), ["y", "text", "langs"]);
        assert_eq!(changed_fields(&value("1"), &value("2")), ["value"]);
    }

    #[test]
    fn counts_have_the_name_of_their_collection() {
        assert_eq!(noun("app.bsky.feed.post", 1), "1 post");
        assert_eq!(noun("app.bsky.feed.post", 2), "2 posts");
        assert_eq!(noun("example.shoreline.survey.count", 6), "6 survey.count");
    }

    #[test]
    fn a_did_is_short() {
        for (did, short) in [
            ("did:plc:zc3maypileo75kv67w5nptnm", "did:plc:zc3m…ptnm"),
            ("did:web:example.com", "did:web:example.com"),
            (
                "did:web:a-very-long-host-name.of.an.example.com",
                "did:web:a-very-long-….example.com",
            ),
        ] {
            assert_eq!(short_did(&did.parse().unwrap()), short);
        }
    }
}
