//! Does each name of a type mean one thing? Does the glossary have the words?

use std::collections::BTreeMap;
use std::fs;

use crate::tree::{Tree, root, tree};
use crate::violation::{Violation, hold};

/// Names that every file may define for itself. `Result` is the alias next to an `Error`.
const EXEMPT: [&str; 3] = ["Args", "Error", "Result"];

const TERMS: usize = 40;

#[test]
fn a_name_means_one_thing() {
    let glossary = fs::read_to_string(root().join("docs/glossary.md")).ok();
    let glossary = glossary_violations(glossary.as_deref());
    hold("names", violations(tree()).into_iter().chain(glossary).collect());
}

/// Types of one crate that have one name.
fn violations(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for one in &tree.crates {
        let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for file in one.files.iter().filter(|file| !file.is_test) {
            for defined in &file.source.types {
                let place = format!("{}:{}", file.path, defined.line);
                places.entry(&defined.name).or_default().push(place);
            }
        }
        places.retain(|name, places| places.len() > 1 && !EXEMPT.contains(name));
        found.extend(places.into_iter().map(|(name, places)| Violation {
            key: format!("{} {name}", one.name),
            detail: format!("crate {}: {name} is defined in {}", one.name, places.join(", ")),
        }));
    }
    found
}

/// A term is a list item that begins with the word in `*…*`.
fn glossary_violations(page: Option<&str>) -> Vec<Violation> {
    let violation = |what: &str| {
        let text = format!("docs/glossary.md: {what}");
        vec![Violation { key: text.clone(), detail: text }]
    };
    let Some(page) = page else { return violation("missing") };
    let item = |line: &&str| line.starts_with("- *") || line.starts_with("| *");
    match page.lines().filter(item).count() {
        0 => violation("no terms"),
        count if count > TERMS => violation("more than 40 terms"),
        _ => Vec::new(),
    }
}

#[test]
fn planted_names_are_found() {
    let keys = |files: &[(&str, &str)]| -> Vec<String> {
        violations(&Tree::planted(files)).into_iter().map(|violation| violation.key).collect()
    };
    for kind in ["struct A;", "enum A {}", "trait A {}", "type A = u8;", "union A { x: u8 }"] {
        let found = keys(&[("lib.rs", "mod b;\npub struct A;"), ("b.rs", kind)]);
        assert_eq!(found, ["pds A"], "{kind}");
    }
    let once = "mod b;\nstruct Args;\nenum Error {}\ntype Result = u8;\nstruct A;";
    let twice = "struct Args;\nstruct Error;\ntype Result = u8;\nfn A() {}\n\
        #[cfg(test)]\nmod tests { struct A; }\n#[cfg(test)]\nstruct A;";
    assert!(keys(&[("lib.rs", once), ("b.rs", twice)]).is_empty());
    let two = [("lib.rs", "struct A;")];
    let two = ["pds", "cli"].map(|name| crate::tree::Crate::planted(name, &two));
    assert!(violations(&Tree { crates: two.into() }).is_empty());
}

#[test]
fn a_planted_glossary_that_is_too_long_is_found() {
    let page = |terms: usize| "# Glossary\n\n".to_owned() + &"- *block*: bytes\n".repeat(terms);
    assert!(glossary_violations(Some(&page(40))).is_empty());
    assert_eq!(glossary_violations(Some(&page(41)))[0].key, "docs/glossary.md: more than 40 terms");
    assert_eq!(glossary_violations(Some(&page(0)))[0].key, "docs/glossary.md: no terms");
    assert_eq!(glossary_violations(None)[0].key, "docs/glossary.md: missing");
}
