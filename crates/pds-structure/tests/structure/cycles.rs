//! Do files of a crate depend on each other in a circle?
//!
//! A file depends on the file of each module that one of its paths names. A `mod` declaration is no
//! dependency, and code for tests does not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Tree, tree};
use crate::violation::{Violation, hold};

#[test]
fn no_crate_has_a_cycle_of_files() {
    hold("cycles", violations(tree()));
}

/// For each file, the files that it names, each with the first line that does.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, usize>>;

fn violations(tree: &Tree) -> Vec<Violation> {
    let graph = graph(tree);
    let components = components(&graph);
    let cycles = components.iter().enumerate().filter(|(_, files)| files.len() > 1);
    cycles.flat_map(|(number, files)| of_cycle(&graph, number, files)).collect()
}

/// Each file of a cycle is a violation, with its edges into the cycle.
fn of_cycle(graph: &Graph<'_>, number: usize, files: &BTreeSet<&str>) -> Vec<Violation> {
    let of_file = |file: &&str| {
        let edges = graph[file].iter().filter(|(to, _)| files.contains(*to));
        let edges: Vec<String> = edges.map(|(to, line)| format!("    line {line}: {to}")).collect();
        let size = files.len();
        let detail = format!("{file}: cycle {number} of {size} files\n{}", edges.join("\n"));
        Violation { key: (*file).to_owned(), detail }
    };
    files.iter().map(of_file).collect()
}

fn graph(tree: &Tree) -> Graph<'_> {
    let mut graph = Graph::new();
    for at in tree.modules() {
        let from = tree.path_of(at);
        let edges = graph.entry(from).or_default();
        for named in tree.named_by(at) {
            let Some(reached) = tree.resolve(at, &named.segments) else { continue };
            let to = tree.path_of(reached.named);
            if reached.named.member == at.member && to != from {
                let line = edges.entry(to).or_insert(named.line);
                *line = named.line.min(*line);
            }
        }
    }
    graph
}

/// The strongly connected components: files that reach each other.
fn components<'a>(graph: &Graph<'a>) -> Vec<BTreeSet<&'a str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|file| (*file, reachable(graph, file))).collect();
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for file in graph.keys().copied() {
        if !found.iter().any(|component| component.contains(file)) {
            let mutual =
                reached[file].iter().copied().filter(|other| reached[other].contains(file));
            found.push(mutual.chain([file]).collect());
        }
    }
    found
}

fn reachable<'a>(graph: &Graph<'a>, from: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<&str> = vec![from];
    while let Some(file) = waiting.pop() {
        let next = graph.get(file).into_iter().flat_map(|edges| edges.keys().copied());
        waiting.extend(next.filter(|file| found.insert(*file)));
    }
    found
}

#[cfg(test)]
fn keys(files: &[(&str, &str)]) -> Vec<String> {
    let strip = |key: String| key.trim_start_matches("crates/pds/src/").to_owned();
    violations(&Tree::planted(files)).into_iter().map(|violation| strip(violation.key)).collect()
}

#[test]
fn files_that_depend_one_way_pass() {
    let found = keys(&[
        ("lib.rs", "mod a;\nmod b;\npub use b::B;"),
        ("a.rs", "use crate::b::B;\n#[cfg(test)]\nmod tests { use crate::b; }"),
        ("b.rs", "#[cfg(test)]\nuse crate::a;\n#[cfg(test)]\nmod tests { use crate::a; }"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn planted_cycles_are_found() {
    let lib = "mod a;\nmod b;\nmod c;";
    for code in [
        "use crate::a::A;",
        "use super::{a, c};",
        "fn f() { crate::a::f(); }",
        "mod inside { fn f() -> super::super::a::A { g() } }",
        "fn f() { vec![crate::a::f()]; }",
        "#[cfg(any(test, feature = \"testing\"))]\nuse crate::a;",
    ] {
        let found = keys(&[
            ("lib.rs", lib),
            ("a.rs", "use crate::c;"),
            ("b.rs", code),
            ("c.rs", "use crate::b;"),
        ]);
        assert_eq!(found, ["a.rs", "b.rs", "c.rs"], "{code}");
    }
    let found = keys(&[("lib.rs", "mod a;\nfn f() { a::f(); }"), ("a.rs", "use crate::f;")]);
    assert_eq!(found, ["a.rs", "lib.rs"]);
}

#[test]
fn a_cycle_is_reported_with_its_lines() {
    let files =
        [("lib.rs", "mod a;\nmod b;"), ("a.rs", "\nuse crate::b;"), ("b.rs", "use crate::a;")];
    assert_eq!(
        violations(&Tree::planted(&files))[0].detail,
        "crates/pds/src/a.rs: cycle 0 of 2 files\n    line 2: crates/pds/src/b.rs"
    );
}
