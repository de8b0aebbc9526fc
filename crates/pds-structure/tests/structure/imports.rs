//! Where do names come from?
//!
//! Inside a crate, a name is imported from the module that defines it; only `lib.rs` has `pub use`, and it
//! is there for other crates. So the file of a folder (`mod.rs`, or `x.rs` next to `x/`) has documentation
//! and `mod` declarations only, and no `use` brings in all names of a module.

use crate::paths::At;
use crate::source::Module;
use crate::tree::{Tree, tree};
use crate::violation::{Violation, hold};

#[test]
fn names_come_from_the_module_that_defines_them() {
    hold("imports", violations(tree()));
}

fn violations(tree: &Tree) -> Vec<Violation> {
    tree.modules().flat_map(|at| of_module(tree, at)).collect()
}

fn of_module(tree: &Tree, at: At) -> Vec<Violation> {
    let one = &tree.crates[at.member];
    let module = one.module(at.place);
    let path = tree.path_of(at);
    let mut found = Vec::new();
    let mut report = |kind: &str, line: usize, what: &str| {
        found.push(Violation {
            key: format!("{path} {kind}"),
            detail: format!("{path}:{line}: {kind}: {what}"),
        });
    };
    let is_facade = one.is_facade(at.place);
    for line in module.other_items.iter().filter(|_| is_folder(tree, at, module)) {
        report("folder", *line, "the file of a folder has `mod` declarations only");
    }
    for used in &module.uses {
        let text = used.path.segments.join("::");
        if used.is_public && !is_facade {
            report("re-export", used.path.line, &text);
        } else if is_folder(tree, at, module) {
            report("folder", used.path.line, &format!("use {text}"));
        }
        if used.name == "*" && is_module(tree, at, &used.path.segments) {
            report("glob", used.path.line, &format!("{text}::*"));
        }
    }
    for named in tree.named_by(at) {
        if let Some(reached) = tree.resolve(at, &named.segments)
            && reached.is_indirect
            && reached.named.member == at.member
        {
            let defined =
                tree.crates[reached.defined.member].places[reached.defined.place].names.join("::");
            let text = format!("{} is from {defined}", named.segments.join("::"));
            report("facade", named.line, &text);
        }
    }
    found
}

/// Whether the module has files of its own below it. The root of a crate is judged by its `pub use` alone.
fn is_folder(tree: &Tree, at: At, module: &Module) -> bool {
    let is_root = tree.crates[at.member].places[at.place].names.is_empty();
    !is_root && module.children.iter().any(|child| !child.is_test && !child.is_inline)
}

fn is_module(tree: &Tree, at: At, segments: &[String]) -> bool {
    tree.resolve(at, segments).is_some_and(|reached| reached.rest.is_empty())
}

#[cfg(test)]
fn keys(files: &[(&str, &str)]) -> Vec<String> {
    let violations = violations(&Tree::planted(files)).into_iter();
    let mut keys: Vec<String> = violations.map(|violation| violation.key).collect();
    keys.sort();
    keys.dedup();
    keys
}

#[test]
fn imports_from_the_defining_module_pass() {
    let found = keys(&[
        ("lib.rs", "pub mod a;\nmod c;\npub use a::b::B;"),
        ("a/mod.rs", "//! Docs.\npub mod b;\n#[cfg(test)]\nmod tests;"),
        (
            "a/b.rs",
            "pub struct B;\npub enum E { X }\nimpl B { fn f() { use E::*; super::super::c::f(); } }",
        ),
        ("a/tests.rs", "use super::*;\nuse crate::B;"),
        ("c.rs", "use crate::a::b::{self, B};\nfn f(b: B) { b::f(); B::new(); }"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn planted_imports_are_found() {
    let lib = ("lib.rs", "pub mod a;\nmod c;\npub use a::b::B;");
    let folder = ("a/mod.rs", "pub(crate) use self::b::B;\npub mod b;");
    let b = ("a/b.rs", "pub struct B;");
    let re_export = "crates/pds/src/a/mod.rs re-export";
    for code in [
        "use crate::a::B;",
        "use crate::a::{B as Other};",
        "use crate::B;",
        "use super::a::B;",
        "use crate::a;\nfn f() { a::B::new(); }",
        "fn f() -> crate::a::B { todo() }",
        "fn f() { assert!(crate::a::B::is_empty()) }",
        "mod d { fn f() { use crate::a::B; } }",
    ] {
        assert_eq!(
            keys(&[lib, folder, b, ("c.rs", code)]),
            [re_export, "crates/pds/src/c.rs facade"],
            "{code}"
        );
    }
    let glob = keys(&[lib, ("a/mod.rs", "pub mod b;"), b, ("c.rs", "use crate::a::b::*;")]);
    assert_eq!(glob, ["crates/pds/src/c.rs glob"]);
    for code in ["fn f() {}", "use std::fmt;", "mod inline { }", "impl X for b::B {}"] {
        let found = keys(&[lib, ("a.rs", &format!("{code}\npub mod b;")), b, ("c.rs", "")]);
        assert_eq!(found, ["crates/pds/src/a.rs folder"], "{code}");
    }
}
