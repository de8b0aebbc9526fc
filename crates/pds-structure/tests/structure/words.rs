//! Is the text free of the banned words?
//!
//! The words are looked for in the comments of all code, in the string literals of the code that is shipped,
//! and in the pages, examples and settings of the project. This file has to name them and is exempt.

use std::fs;
use std::path::Path;

use crate::lexer::{Text, lex};
use crate::source::Source;
use crate::tree::{files_under, from_root, root};
use crate::violation::{Violation, hold};

/// Words and phrases that no text has.
const BANNED: [&str; 12] = [
    "anew",
    "whoever",
    "somebody",
    "nobody",
    "is none",
    "of which",
    "let go",
    "told",
    "come by",
    "stands at",
    "stood at",
    "lets go",
];

/// Words that no sentence begins with.
const NO_BEGINNING: [&str; 1] = ["Who"];

/// The only file that may have the words.
const EXEMPT: &str = "crates/pds-structure/tests/structure/words.rs";

/// Pages and settings at the root of the repository.
const PAGES: [&str; 9] = [
    "README.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "justfile",
    "Cargo.toml",
    "deny.toml",
    ".cargo/config.toml",
];

#[test]
fn no_text_has_a_banned_word() {
    let mut found = Vec::new();
    for path in files_under(&root().join("crates"), "rs") {
        let name = from_root(&path);
        if name != EXEMPT {
            found.extend(of_code(&name, &fs::read_to_string(path).unwrap()));
        }
    }
    let pages = PAGES.iter().map(|page| root().join(page));
    let docs = files_under(&root().join("docs"), "md");
    let others = ["examples", ".ci"].map(|dir| files_in(&root().join(dir))).concat();
    for path in pages.chain(docs).chain(others) {
        found.extend(of_page(&from_root(&path), &fs::read_to_string(&path).unwrap()));
    }
    hold("words", found);
}

fn files_in(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn of_page(name: &str, text: &str) -> Vec<Violation> {
    let lines =
        text.lines().enumerate().map(|(at, text)| Text { line: at + 1, text: text.to_owned() });
    in_text(name, &lines.collect::<Vec<_>>())
}

/// Comments count everywhere, string literals only in code that is shipped.
fn of_code(name: &str, text: &str) -> Vec<Violation> {
    let lexed = lex(text);
    let mut found = in_text(name, &lexed.comments);
    if is_shipped(name) {
        let source = Source::read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let strings = lexed.strings.iter().filter(|string| !source.is_test_line(string.line));
        for string in strings {
            let lines = string.text.lines();
            let lines = lines.map(|text| Text { line: string.line, text: text.to_owned() });
            found.extend(in_text(name, &lines.collect::<Vec<_>>()));
        }
    }
    found
}

/// Whether a file is below `src`, and is neither a file of tests nor a suite of them.
fn is_shipped(name: &str) -> bool {
    let is_tests = |part: &str| {
        let part = part.trim_end_matches(".rs");
        part == "tests" || part.ends_with("_tests")
    };
    name.contains("/src/") && !name.split('/').any(is_tests)
}

/// Looks for the words in lines of text. A phrase may go on in the next line.
fn in_text(name: &str, lines: &[Text]) -> Vec<Violation> {
    let mut found = Vec::new();
    for paragraph in paragraphs(lines) {
        let texts: Vec<&str> = paragraph.iter().map(|line| line.text.trim()).collect();
        let text = texts.join(" ");
        let line_of = |at: usize| {
            let mut end = 0;
            let is_before = |text: &&&str| {
                end += text.len() + 1;
                end <= at
            };
            paragraph[texts.iter().take_while(is_before).count()].line
        };
        let lower = text.to_ascii_lowercase();
        let banned = BANNED.iter().flat_map(|word| {
            let hits = lower.match_indices(word).map(|(at, _)| at);
            // Only the first letter may be a capital: `is None` is code.
            let hits = hits.filter(|at| text[at + 1..].starts_with(&word[1..]));
            hits.filter(|at| is_word(&lower, *at, word.len())).map(move |at| (at, *word))
        });
        let beginnings = NO_BEGINNING.iter().flat_map(|word| {
            let hits = text.match_indices(word).map(|(at, _)| at);
            let text = &text;
            hits.filter(move |at| is_word(text, *at, word.len()) && begins_sentence(&text[..*at]))
                .map(move |at| (at, *word))
        });
        for (at, word) in banned.chain(beginnings) {
            let detail = format!("{name}:{}: {word}: {}", line_of(at), around(&text, at));
            found.push(Violation { key: format!("{name} {word}"), detail });
        }
    }
    found
}

fn around(text: &str, at: usize) -> &str {
    let start = text[..at].char_indices().rev().nth(30).map_or(0, |(at, _)| at);
    let end = text[at..].char_indices().nth(40).map_or(text.len(), |(end, _)| at + end);
    &text[start..end]
}

fn is_word(text: &str, at: usize, length: usize) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    !text[..at].ends_with(is_name) && !text[at + length..].starts_with(is_name)
}

fn begins_sentence(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '*', '_', '"', '\'', '(', '`', '#', '>', '-']);
    before.is_empty() || before.ends_with(['.', '!', '?', '|'])
}

/// Lines that belong together. An empty line, a list item, a heading and a row of a table begin another part.
fn paragraphs(lines: &[Text]) -> Vec<Vec<&Text>> {
    let mut found: Vec<Vec<&Text>> = Vec::new();
    for line in lines {
        let text = line.text.trim();
        let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_item = number.len() < text.len() && number.starts_with(". ");
        let begins =
            is_item || ["- ", "* ", "#", "|", ">"].iter().any(|mark| text.starts_with(mark));
        match found.last_mut() {
            _ if text.is_empty() => found.push(Vec::new()),
            Some(part) if !begins && part.last().is_none_or(|last| line.line <= last.line + 1) => {
                part.push(line);
            }
            _ => found.push(vec![line]),
        }
    }
    found
}

#[test]
fn planted_words_are_found_in_pages() {
    for (page, key) in [
        ("It is made anew.", "p anew"),
        ("Anew: it is made.", "p anew"),
        ("# For Whoever reads", "p whoever"),
        ("one\nof\nwhich is", "p of which"),
        ("a | told | b", "p told"),
        ("Who signs a commit", "p Who"),
        ("It is so. Who signs", "p Who"),
        ("some text\n- **Who signs**: x", "p Who"),
        ("| Who signs | x |", "p Who"),
    ] {
        let found: Vec<String> = of_page("p", page).into_iter().map(|found| found.key).collect();
        assert_eq!(found, [key], "{page}");
    }
    for word in BANNED {
        assert_eq!(of_page("p", &format!("a {word} b")).len(), 1, "{word}");
    }
    for page in [
        "renewal, untold, is_none, told_by",
        "of\n\nwhich",
        "the one who signs",
        "the WHO",
        "Whole",
        "if a is None",
    ] {
        assert!(of_page("p", page).is_empty(), "{page}");
    }
}

#[test]
fn planted_words_are_found_in_code() {
    let keys = |name: &str, code: &str| -> Vec<String> {
        of_code(name, code).into_iter().map(|found| found.key).collect()
    };
    for code in [
        "// made anew",
        "//! Made\n//! anew.",
        "/// Anew.\nfn f() {}",
        "/* anew */",
        "fn f() { bail!(\"made \\\n    anew\") }",
        "const A: &str = r#\"anew\"#;",
    ] {
        assert_eq!(keys("a/src/b.rs", code), ["a/src/b.rs anew"], "{code}");
    }
    let in_tests = "#[cfg(test)]\nmod tests { const A: &str = \"anew\"; }";
    assert!(keys("a/src/b.rs", in_tests).is_empty());
    assert!(keys("a/tests/b.rs", "const A: &str = \"anew\";").is_empty());
    assert!(keys("a/src/b/tests/c.rs", "const A: &str = \"anew\";").is_empty());
    assert_eq!(keys("a/tests/b.rs", "// anew"), ["a/tests/b.rs anew"]);
    assert!(
        keys("a/src/b.rs", "fn anew() { told.anew(is_none); }\n// of\nfn f() {}\n// which")
            .is_empty()
    );
}

#[test]
fn a_hit_is_reported_with_its_line() {
    let found = of_page("p", "one\n\ntwo three\nfour made\nanew five\n");
    assert_eq!(found[0].detail, "p:5: anew: two three four made anew five");
}
