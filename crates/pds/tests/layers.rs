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
    ("store", &["data"]),
    ("blob", &["data"]),
    ("repo", &["syntax", "data", "crypto", "mst", "commit", "identity", "car", "store", "blob"]),
];

#[test]
fn no_module_reaches_sideways_or_up() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut reaching = Vec::new();
    for (module, allowed) in TABLE {
        for file in files(&src, module) {
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
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found: BTreeSet<String> = fs::read_dir(src)
        .unwrap()
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
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let effects = ["std::fs", "std::net", "std::time", "std::thread", "std::env", "static "];
    for module in ["syntax", "data", "mst", "commit", "identity"] {
        for file in files(&src, module) {
            let code = code_of(&file).replace("'static ", "");
            for effect in effects {
                assert!(!code.contains(effect), "{} uses {effect}", file.display());
            }
        }
    }
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
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
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

fn name_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// A file without comments and without its tests, which may use anything.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let inline_tests = text.find("#[cfg(test)]").filter(|at| text[*at..].contains("mod tests {"));
    let text = &text[..inline_tests.unwrap_or(text.len())];
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

fn files(src: &Path, module: &str) -> Vec<PathBuf> {
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
