//! Language tags (BCP 47).

/// A language tag, such as `ja`, `pt-BR` or `zh-Hant`.
///
/// The grammar is that of BCP 47, with its rule that no variant and no extension occurs twice. The
/// protocol's test vectors narrow it: the language itself has two or three lower-case letters. The
/// registry of subtags is not checked. Case is kept. A tag has at most 128 bytes.
///
/// Spec: [Lexicon, "language"](https://atproto.com/specs/lexicon#language), RFC 5646 section 2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(Box<str>);

checked_text!(Language, "language tag", check);

fn check(tag: &[u8]) -> Result<(), &'static str> {
    if tag.len() > MAX_BYTES {
        return Err("a language tag has at most 128 bytes");
    }
    let subtags: Vec<&[u8]> = tag.split(|byte| *byte == b'-').collect();
    let is_subtag = |subtag: &&[u8]| {
        (1..=8).contains(&subtag.len()) && is_all(u8::is_ascii_alphanumeric, subtag)
    };
    if !subtags.iter().all(is_subtag) {
        return Err("a language tag is subtags of 1 to 8 letters and digits, joined by hyphens");
    }
    if IRREGULAR.iter().any(|irregular| irregular.as_bytes().eq_ignore_ascii_case(tag)) {
        return Ok(());
    }

    let rest = match subtags.as_slice() {
        [first, ..] if first.eq_ignore_ascii_case(b"x") => subtags.as_slice(),
        [first, rest @ ..] if is_language(first) => {
            let rest = skip_up_to(3, rest, is_extended_language);
            let rest = skip_up_to(1, rest, is_script);
            let rest = skip_up_to(1, rest, is_region);
            let rest = skip_variants(rest)?;
            skip_extensions(rest)?
        }
        _ => return Err("a language tag starts with two or three lower-case letters"),
    };
    match rest {
        [] => Ok(()),
        [x, _, ..] if x.eq_ignore_ascii_case(b"x") => Ok(()),
        _ => Err("the subtags of a language tag follow the order of RFC 5646"),
    }
}

/// Skips subtags of one kind, up to the number that the grammar allows.
fn skip_up_to<'s, 't>(
    limit: usize,
    subtags: &'s [&'t [u8]],
    is_kind: fn(&[u8]) -> bool,
) -> &'s [&'t [u8]] {
    let count = subtags.iter().take(limit).take_while(|subtag| is_kind(subtag)).count();
    subtags.get(count..).unwrap_or_default()
}

fn skip_variants<'s, 't>(subtags: &'s [&'t [u8]]) -> Result<&'s [&'t [u8]], &'static str> {
    let rest = skip_up_to(usize::MAX, subtags, is_variant);
    let variants = subtags.iter().take(subtags.len() - rest.len());
    if has_repeats(variants.copied()) {
        return Err("a language tag does not repeat a variant");
    }
    Ok(rest)
}

fn skip_extensions<'s, 't>(subtags: &'s [&'t [u8]]) -> Result<&'s [&'t [u8]], &'static str> {
    let mut singletons = Vec::new();
    let mut rest = subtags;
    while let [singleton, parts @ ..] = rest
        && is_singleton(singleton)
    {
        rest = skip_up_to(usize::MAX, parts, |part| part.len() >= 2);
        if rest.len() == parts.len() {
            return Err("an extension of a language tag is not empty");
        }
        singletons.push(*singleton);
    }
    if has_repeats(singletons.into_iter()) {
        return Err("a language tag does not repeat an extension");
    }
    Ok(rest)
}

/// Compares every pair, since a tag of limited length has few.
fn has_repeats<'t>(mut subtags: impl Iterator<Item = &'t [u8]> + Clone) -> bool {
    while let Some(subtag) = subtags.next() {
        if subtags.clone().any(|other| other.eq_ignore_ascii_case(subtag)) {
            return true;
        }
    }
    false
}

fn is_language(subtag: &[u8]) -> bool {
    matches!(subtag.len(), 2 | 3) && is_all(u8::is_ascii_lowercase, subtag)
}

fn is_extended_language(subtag: &[u8]) -> bool {
    subtag.len() == 3 && is_all(u8::is_ascii_alphabetic, subtag)
}

fn is_script(subtag: &[u8]) -> bool {
    subtag.len() == 4 && is_all(u8::is_ascii_alphabetic, subtag)
}

fn is_region(subtag: &[u8]) -> bool {
    match subtag.len() {
        2 => is_all(u8::is_ascii_alphabetic, subtag),
        3 => is_all(u8::is_ascii_digit, subtag),
        _ => false,
    }
}

/// A variant of four characters starts with a digit. Otherwise it would look like a script.
fn is_variant(subtag: &[u8]) -> bool {
    subtag.len() >= 5 || (subtag.len() == 4 && subtag.first().is_some_and(u8::is_ascii_digit))
}

fn is_singleton(subtag: &[u8]) -> bool {
    subtag.len() == 1 && !subtag.eq_ignore_ascii_case(b"x")
}

fn is_all(kind: fn(&u8) -> bool, subtag: &[u8]) -> bool {
    subtag.iter().all(kind)
}

/// The limit of the reference implementation in Go; the specification has none.
const MAX_BYTES: usize = 128;

/// The tags of RFC 5646 section 2.1 that are valid although the grammar does not produce them.
const IRREGULAR: [&str; 17] = [
    "en-GB-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "sgn-BE-FR",
    "sgn-BE-NL",
    "sgn-CH-DE",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_valid(text: &str) -> bool {
        text.parse::<Language>().is_ok()
    }

    #[test]
    fn examples_of_rfc_5646() {
        for good in [
            "de",
            "zh-Hans",
            "sr-Cyrl",
            "zh-cmn-Hans-CN",
            "zh-yue-HK",
            "sl-rozaj-biske-1994",
            "sl-IT-nedis",
            "de-CH-1901",
            "hy-Latn-IT-arevela",
            "es-419",
            "az-Arab-x-AZE-derbend",
            "x-whatever",
            "qaa-Qaaa-QM-x-southern",
            "en-US-u-islamcal",
            "zh-CN-a-myext-x-private",
            "en-a-myext-b-another",
            "i-klingon",
            "EN-gb-OED",
            "art-lojban",
            "zh-min-nan",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["de-419-DE", "a-DE", "ar-a-aaa-b-bbb-a-ccc", "i-unknown", "x", "en-x", "en-a"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn limits() {
        assert!(is_valid(&format!("en-x-{}aaaaaa", "a-".repeat(58) + "a-")[..128]));
        assert!(is_valid(&format!("en-x{}", "-a".repeat(62))));
        assert!(!is_valid(&format!("en-x{}b", "-a".repeat(62))));
        assert!(is_valid("zh-aaa-bbb-ccc") && !is_valid("zh-aaa-bbb-ccc-ddd"));
        assert!(is_valid("en-abcdefgh") && !is_valid("en-abcdefghi"));
        assert!(is_valid("en-abcde") && is_valid("en-1bcd") && !is_valid("en-Latn-abcd"));
        assert!(is_valid("en-a-bb") && !is_valid("en-a-b"));
    }

    #[test]
    fn refusals() {
        for bad in ["", "-", "en-", "-en", "en--US", "en_US", "En", "JA", "jaja", "é", "en-é", "e"]
        {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            text in "[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?(-[a-z]{5})?\
                     (-u(-[a-z]{2,8}){1,3})?(-x-[a-z]{1,8})?"
        ) {
            let language = Language::try_from(text.clone()).unwrap();
            prop_assert_eq!(language.to_string(), text);
        }

        #[test]
        fn never_panics(text in any::<String>(), like in "[a-zA-Z0-9é-]{0,40}") {
            let _ = text.parse::<Language>();
            let _ = format!("en-{like}").parse::<Language>();
        }
    }
}
