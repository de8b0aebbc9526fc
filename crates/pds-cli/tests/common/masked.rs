//! Output with placeholders for everything that differs between runs.

/// Replaces CIDs, keys, TIDs and times by placeholders, so that output can be compared in full.
///
/// Equal texts get the same number: `<cid 1>` twice is the same CID twice.
pub(crate) fn masked(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, _) = rest.split_at(end.max(rest.chars().next().map_or(0, char::len_utf8)));
        let word = Some(word.trim_end_matches(':')).filter(|word| !word.is_empty()).unwrap_or(word);
        rest = &rest[word.len()..];
        let Some(kind) = kind(word) else {
            out.push_str(word);
            continue;
        };
        let of_kind = |other: &&&str| self::kind(other) == Some(kind);
        if !seen.contains(&word) {
            seen.push(word);
        }
        let number = seen.iter().filter(of_kind).position(|other| *other == word).unwrap() + 1;
        out.push_str(&format!("<{kind} {number}>"));
    }
    out
}

fn kind(word: &str) -> Option<&'static str> {
    let all = |allowed: &str| word.chars().all(|c| allowed.contains(c));
    if word.len() == 59 && word.starts_with("baf") && all("abcdefghijklmnopqrstuvwxyz234567") {
        return Some("cid");
    }
    if word.len() == 13 && word.starts_with('3') && all("234567abcdefghijklmnopqrstuvwxyz") {
        return Some("tid");
    }
    if word.starts_with("did:key:z") {
        return Some("key");
    }
    if word.len() == 20 && word.ends_with('Z') && word.starts_with("20") {
        return Some("time");
    }
    None
}

/// A colon and a dash are part of DIDs and times.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':' || c == '-'
}
