//! The dependency table of `ARCHITECTURE.md`, held against the sources.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and the modules it may use.
const TABLE: &[(&str, &[&str])] = &[
    ("syntax", &[]),
    ("data", &[]),
    ("crypto", &[]),
    ("mst", &["data"]),
    ("commit", &["syntax", "data", "crypto"]),
    ("identity", &["syntax", "data", "crypto"]),
    ("car", &["data"]),
    ("store", &["syntax", "data", "crypto"]),
    ("blob", &["data"]),
    ("repo", &["syntax", "data", "crypto", "mst", "commit", "identity", "car", "store", "blob"]),
];

#[test]
fn no_module_reaches_sideways_or_up() {
    let mut reaching = Vec::new();
    for (module, allowed) in TABLE {
        for file in files(module) {
            for used in uses(&code_of(&file)) {
                if used != *module && !allowed.contains(&used.as_str()) {
                    reaching.push(format!("{} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(reaching.is_empty(), "{}", reaching.join("\n"));
}

#[test]
fn every_module_is_in_the_table() {
    let found: BTreeSet<String> = CRATES
        .iter()
        .flat_map(|name| fs::read_dir(sources(name)).unwrap())
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib")
        .collect();
    let table: BTreeSet<String> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, table);
}

#[test]
fn the_table_is_the_one_in_the_architecture_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    for (module, allowed) in TABLE {
        let uses = match *module {
            "repo" => "all of the above".to_owned(),
            _ if allowed.is_empty() => "–".to_owned(),
            _ => allowed.join(" "),
        };
        let row = format!("{module:<9} {uses}");
        assert!(page.lines().any(|line| line == row), "no row {row:?}");
    }
}

/// No files, no network, no clock, no threads, nothing global where only bytes are looked at.
#[test]
fn the_pure_middle_has_no_effects() {
    let effects = ["std::fs", "std::net", "std::time", "std::thread", "std::env", "static "];
    for module in ["syntax", "data", "mst", "commit", "identity"] {
        for file in files(module) {
            let code = code_of(&file).replace("'static ", "");
            for effect in effects {
                assert!(!code.contains(effect), "{} uses {effect}", file.display());
            }
        }
    }
}

/// What a back end must have is small: the rest of a trait has a default.
#[test]
fn a_back_end_needs_few_methods() {
    let (core, store) = (sources("pds-core"), sources("pds-store"));
    let seams = [
        (
            9,
            vec![
                (core.join("data/block.rs"), "Blocks"),
                (store.join("store/mod.rs"), "View"),
                (store.join("store/mod.rs"), "Store"),
            ],
        ),
        (5, vec![(store.join("store/mod.rs"), "Maintain")]),
        (5, vec![(store.join("blob/mod.rs"), "BlobStore")]),
    ];
    for (most, traits) in seams {
        let methods: Vec<String> = traits
            .iter()
            .flat_map(|(file, name)| {
                let text = fs::read_to_string(file).unwrap();
                required_methods(&without_comments(&text), name)
            })
            .collect();
        assert!(methods.len() <= most, "{traits:?} require more than {most}: {methods:?}");
    }
}

/// Who reads from several threads, or from another one than before, gets the same answers.
#[test]
fn nothing_depends_on_the_thread() {
    for file in TABLE.iter().flat_map(|(module, _)| files(module)) {
        let code = fs::read_to_string(&file).unwrap();
        assert!(!code.contains("ThreadId"), "{} has ThreadId", file.display());
    }
}

#[test]
fn required_methods_are_those_without_a_body() {
    let code = "
pub trait Other {
    fn x(&self);
}

pub trait Seam: Other {
    fn a(&self);
    fn b<T>(
        &self,
    ) -> u8;
    fn c(&self) -> u8 {
        self.x();
        1
    }
    fn e(&self) -> u8 {
        2
    }
}

fn d();
";
    assert_eq!(required_methods(code, "Seam"), ["a", "b"]);
}

#[test]
#[should_panic(expected = "no trait Missing")]
fn a_trait_that_is_not_found_is_a_failure() {
    required_methods("pub trait MissingOne {\n}\n", "Missing");
}

#[test]
fn planted_violations_are_found() {
    for (code, module) in [
        ("use crate::store::Store;", "store"),
        ("use crate::{data::Cid, mst::Tree};", "mst"),
        ("use crate::{\n    car::{CarReader, CarFile},\n    data::Cid,\n};", "car"),
        ("fn f() { crate::repo::Repo::open(); }", "repo"),
    ] {
        assert!(uses(code).contains(module), "{code}");
    }
}

/// The modules that some code names through `crate::`, alone or in a group.
fn uses(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code
        .match_indices("crate::")
        .chain(code.match_indices("pds_core::"))
        .chain(code.match_indices("pds_store::"))
    {
        let rest = code[at..].split_once("::").unwrap().1;
        match rest.strip_prefix('{') {
            None => drop(used.insert(name_at(rest))),
            Some(group) => {
                let mut depth = 0;
                let mut expecting = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => expecting = true,
                        c if expecting && depth == 0 && c.is_alphabetic() => {
                            used.insert(name_at(&group[at..]));
                            expecting = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    used
}

/// The methods of a trait that have no body. The code is formatted: the trait ends with the first brace
/// at the start of a line.
fn required_methods(code: &str, name: &str) -> Vec<String> {
    let begins = |end| code.find(&format!("pub trait {name}{end}"));
    let start = begins(" {").or_else(|| begins(": "));
    let text = &code[start.unwrap_or_else(|| panic!("no trait {name}"))..];
    let end = text.find("\n}").unwrap_or_else(|| panic!("trait {name} has no end"));
    let methods = text[..end].split("fn ").skip(1);
    let is_required = |method: &&str| {
        let end = method.find([';', '{']).unwrap_or_else(|| panic!("{method} has no end"));
        method[end..].starts_with(';')
    };
    let required: Vec<String> = methods.filter(is_required).map(name_at).collect();
    assert!(!required.is_empty(), "trait {name} requires nothing");
    required
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// A file without comments and without its tests, which may use anything.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let inline_tests = text.find("#[cfg(test)]").filter(|at| text[*at..].contains("mod tests {"));
    without_comments(&text[..inline_tests.unwrap_or(text.len())])
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The crates of the library, from the bottom up.
const CRATES: [&str; 3] = ["pds-core", "pds-store", "pds"];

fn sources(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src")
}

fn files(module: &str) -> Vec<PathBuf> {
    let holds =
        |src: &PathBuf| src.join(module).exists() || src.join(format!("{module}.rs")).exists();
    let src = CRATES.map(sources).into_iter().find(holds).unwrap_or_else(|| panic!("no {module}"));
    let single = src.join(format!("{module}.rs"));
    if single.is_file() {
        return vec![single];
    }
    let mut found = Vec::new();
    let mut waiting = vec![src.join(module)];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && path.file_stem().is_some_and(|stem| stem != "tests")
            {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no files for {module}");
    found
}
