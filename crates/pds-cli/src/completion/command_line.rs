//! The command line that a user is about to complete.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::repository::open::Place;

/// The words before the one that is completed.
static WORDS: OnceLock<Vec<OsString>> = OnceLock::new();

/// Sets the words of the command line; the last one is completed.
pub(super) fn set_words(words: &[OsString]) {
    let before = words.split_last().map(|(_, before)| before.to_vec());
    // The first command line counts: a process completes only one.
    let _ = WORDS.set(before.unwrap_or_default());
}

/// Returns the repository that the command line names.
pub(super) fn place() -> Place {
    let variable = || std::env::var_os("PDS_REPO").filter(|repo| !repo.is_empty());
    let named = repository_option(words()).or_else(variable).map(PathBuf::from);
    Place { named: named.map(expanded) }
}

/// Tells whether an argument of the command line names the repository.
pub(super) fn names_repository() -> bool {
    repository_option(words()).is_some()
}

fn words() -> &'static [OsString] {
    // The scripts of the library pass the words as the arguments after two dashes.
    WORDS.get_or_init(|| std::env::args_os().skip_while(|arg| arg != "--").skip(1).collect())
}

/// Returns the value of `-R` or `--repo`.
fn repository_option(words: &[OsString]) -> Option<OsString> {
    let mut named = None;
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if text == "--" {
            break;
        }
        if text == "-R" || text == "--repo" {
            named = words.next().cloned();
        } else if let Some(value) = text.strip_prefix("--repo=").or(text.strip_prefix("-R")) {
            named = Some(value.into());
        }
    }
    named
}

/// Replaces a tilde by the home directory: a shell does that only when it runs the command.
fn expanded(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) if rest == Path::new("") => home,
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

/// Removes the quotes of a word, as a shell does.
pub(super) fn unquoted(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    let mut quote = None;
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('\\', None | Some('"')) => plain.extend(letters.next()),
            (letter, _) => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_removed() {
        for (word, plain) in [
            ("plain", "plain"),
            ("'a b", "a b"),
            ("a\\ b", "a b"),
            ("\"a'b\\\"\"c", "a'b\"c"),
            ("'a\\b'", "a\\b"),
            ("end\\", "end"),
        ] {
            assert_eq!(unquoted(word), plain);
        }
    }

    #[test]
    fn the_last_repository_option_counts() {
        let named = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            repository_option(&words).map(|value| value.into_string().unwrap_or_default())
        };
        assert_eq!(named("pds ls"), None);
        assert_eq!(named("pds -R a ls"), Some("a".to_owned()));
        assert_eq!(named("pds ls --repo=b"), Some("b".to_owned()));
        assert_eq!(named("pds -Ra ls --repo c"), Some("c".to_owned()));
        assert_eq!(named("pds get -- -R x"), None);
    }
}
