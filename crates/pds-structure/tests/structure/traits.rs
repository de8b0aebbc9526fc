//! Is the seam small, and is the middle pure?
//!
//! A back end writes the required methods of the seam; the other methods of a trait have a default. Core has no
//! effects, and no answer depends on the thread that asks.

use crate::layers::row_of;
use crate::tree::{Crate, Tree, tree};
use crate::violation::{Violation, hold};

/// Traits, and the number of methods that they may require together.
const SEAM: [(usize, &[&str]); 3] =
    [(9, &["Blocks", "View", "Store"]), (5, &["Maintain"]), (5, &["BlobStore"])];

/// The parts of `std` with effects. The pure rooms have no `static` either.
const EFFECTS: [&str; 10] = [
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time",
];

/// The effects that core may have. Files arrive as `Read` or `ReadAt`, and only the crate of a trait can implement it
/// for `File`.
const EXCEPTIONS: [&str; 2] =
    ["crates/pds-core/src/car/read_at.rs std::fs", "crates/pds-core/src/car/read_at.rs std::os"];

#[test]
fn a_back_end_needs_few_methods() {
    for (most, traits) in SEAM {
        let methods: Vec<String> = traits.iter().flat_map(|name| required(tree(), name)).collect();
        assert!(methods.len() <= most, "{traits:?} require more than {most}: {methods:?}");
    }
}

/// The required methods of a trait. Panics unless the workspace has one trait of this name.
fn required(tree: &Tree, name: &str) -> Vec<String> {
    let traits = tree.files().flat_map(|(_, file)| &file.source.traits);
    let found: Vec<_> = traits.filter(|one| one.name == name).collect();
    assert_eq!(found.len(), 1, "traits with the name {name}");
    assert!(!found[0].required.is_empty(), "the trait {name} requires nothing");
    found[0].required.clone()
}

#[test]
fn nothing_depends_on_the_thread() {
    let found = with_thread_id(tree());
    assert!(found.is_empty(), "ThreadId in {found:?}");
}

fn with_thread_id(tree: &Tree) -> Vec<&str> {
    let files = tree.files().filter(|(_, file)| file.text.contains("ThreadId"));
    files.map(|(_, file)| file.path.as_str()).collect()
}

/// No files, no network, no clock, no threads and no globals where the code only looks at bytes.
#[test]
fn core_has_no_effects() {
    let found = effects(tree());
    for exception in EXCEPTIONS {
        assert!(found.iter().any(|one| one.key == exception), "{exception}: not needed, delete it");
    }
    let is_allowed = |one: &Violation| EXCEPTIONS.contains(&&*one.key);
    hold("pure", found.into_iter().filter(|one| !is_allowed(one)).collect());
}

fn effects(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for at in tree.modules() {
        let one = &tree.crates[at.member];
        let is_core = row_of(one, at.place).is_some_and(|room| room.starts_with("core/"));
        if !is_core {
            continue;
        }
        let path = tree.path_of(at);
        let mut report = |what: &str, line: usize| {
            let key = format!("{path} {what}");
            found.push(Violation { key, detail: format!("{path}:{line}: {what} in a pure room") });
        };
        for named in tree.named_by(at) {
            let text = named.segments.join("::");
            let is_part =
                |effect: &&str| text == **effect || text.starts_with(&format!("{effect}::"));
            EFFECTS.into_iter().find(is_part).into_iter().for_each(|what| report(what, named.line));
        }
        if one.is_file(at.place) {
            one.file_at(at.place).source.globals.iter().for_each(|line| report("static", *line));
        }
    }
    found
}

#[test]
fn required_methods_are_those_without_a_body() {
    let code = "pub trait Other { fn x(&self); }\n\
        pub trait Seam: Other { fn a(&self);\nfn b<T>(\n&self,\n) -> u8;\n\
        fn c(&self) -> u8 { fn inner() {} self.x(); 1 }\ntype T; const C: u8; }\nfn d() {}";
    let tree = Tree::planted(&[("lib.rs", code)]);
    assert_eq!(required(&tree, "Seam"), ["a", "b"]);
}

#[test]
#[should_panic(expected = "traits with the name Missing")]
fn a_trait_that_is_missing_is_reported() {
    required(&Tree::planted(&[("lib.rs", "pub trait MissingOne { fn a(); }")]), "Missing");
}

#[test]
#[should_panic(expected = "the trait Seam requires nothing")]
fn a_trait_that_requires_nothing_is_reported() {
    required(&Tree::planted(&[("lib.rs", "pub trait Seam { fn a() {} }")]), "Seam");
}

#[test]
fn a_planted_thread_id_is_found() {
    let tree = Tree::planted(&[("lib.rs", "mod a;"), ("a.rs", "struct A(std::thread::ThreadId);")]);
    assert_eq!(with_thread_id(&tree), ["crates/pds/src/a.rs"]);
}

#[test]
fn planted_effects_are_found() {
    let keys = |code: &str| -> Vec<String> {
        let files = [("lib.rs", "mod data;"), ("data.rs", code)];
        let crates = vec![Crate::planted("core", &files)];
        effects(&Tree { crates }).into_iter().map(|violation| violation.key).collect()
    };
    for (code, what) in [
        ("use std::fs;", "std::fs"),
        ("use std::{fmt, net::{IpAddr}};", "std::net"),
        ("fn f() { std::thread::spawn(g); }", "std::thread"),
        ("fn f() { println!(\"{}\", std::env::args()); }", "std::env"),
        ("mod a { fn f(at: std::time::Instant) {} }", "std::time"),
        ("static X: u8 = 1;", "static"),
        ("fn f() { static mut X: u8 = 1; }", "static"),
        ("mod a { thread_local! { static X: u8 = 1; } }", "static"),
    ] {
        assert_eq!(keys(code), [format!("crates/pds-core/src/data.rs {what}")], "{code}");
    }
    for code in ["const X: &'static str = \"std::fs\";", "// std::fs", "#[cfg(test)]\nuse std::fs;"]
    {
        assert!(keys(code).is_empty(), "{code}");
    }
}
