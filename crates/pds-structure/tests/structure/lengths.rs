//! How long are files and functions?

use std::fs;

use crate::source::Function;
use crate::tree::{File, Tree, files_under, from_root, root, tree};
use crate::violation::{Violation, hold};

/// Lines of a file below `src`, its tests included.
const FILE: usize = 400;
/// Lines of a file of tests.
const TEST_FILE: usize = 420;
/// Lines of a function, from `fn` to the brace that closes it.
const FUNCTION: usize = 60;
/// Lines of the `run` of a verb.
const RUN: usize = 40;

#[test]
fn files_and_functions_are_short() {
    hold("lengths", violations(tree()));
}

/// The files of `tests` and `benches`.
#[test]
fn files_of_tests_are_short() {
    let mut long = Vec::new();
    for path in files_under(&root().join("crates"), "rs") {
        let (path, lines) = (from_root(&path), fs::read_to_string(&path).unwrap().lines().count());
        if !path.contains("/src/") && lines > TEST_FILE {
            let detail = format!("{path}: {lines} lines, at most {TEST_FILE}");
            long.push(Violation { key: path, detail });
        }
    }
    hold("lengths", long);
}

fn violations(tree: &Tree) -> Vec<Violation> {
    tree.files().flat_map(|(_, file)| of_file(file)).collect()
}

fn of_file(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    let path = &file.path;
    let lines = file.text.lines().count();
    if lines > FILE {
        let detail = format!("{path}: {lines} lines, at most {FILE}");
        found.push(Violation { key: path.clone(), detail });
    }
    for function in &file.source.functions {
        let most = if is_run(path, function) { RUN } else { FUNCTION };
        let lines = function.last - function.first + 1;
        if lines > most {
            let owner = function.owner.as_ref().map_or(String::new(), |owner| format!("{owner}::"));
            let key = format!("{path} {owner}{}", function.name);
            let line = function.first;
            let detail =
                format!("{path}:{line}: {owner}{}: {lines} lines, at most {most}", function.name);
            found.push(Violation { key, detail });
        }
    }
    found
}

/// Whether the function is what a verb of the binary runs.
fn is_run(path: &str, function: &Function) -> bool {
    path.starts_with("crates/pds-cli/src/commands/") && function.name == "run"
}

#[test]
fn planted_long_files_and_functions_are_found() {
    let of = |name: &str, path: &str, code: &str| -> Vec<String> {
        let files = [("main.rs", "mod commands;"), ("commands.rs", "mod a;"), (path, code)];
        let tree = Tree { crates: vec![crate::tree::Crate::planted(name, &files)] };
        violations(&tree).into_iter().map(|violation| violation.key).collect()
    };
    let body = |name: &str, lines: usize| format!("fn {name}() {{{}}}", "\n".repeat(lines - 1));
    let path = "commands/a.rs";
    assert!(of("cli", path, &"//\n".repeat(400)).is_empty());
    assert_eq!(of("cli", path, &"//\n".repeat(401)), ["crates/pds-cli/src/commands/a.rs"]);
    assert!(of("cli", path, &(body("f", 60) + "\n" + &body("run", 40))).is_empty());
    assert_eq!(of("cli", path, &body("f", 61)), ["crates/pds-cli/src/commands/a.rs f"]);
    assert_eq!(of("cli", path, &body("run", 41)), ["crates/pds-cli/src/commands/a.rs run"]);
    assert!(of("pds", path, &body("run", 60)).is_empty());
    let method = format!("/// Docs.\nimpl<T> A<T> {{ {} }}", body("f", 61));
    assert_eq!(of("cli", path, &method), ["crates/pds-cli/src/commands/a.rs A::f"]);
    let provided = format!("trait A {{ {} }}", body("f", 61));
    assert_eq!(of("cli", path, &provided), ["crates/pds-cli/src/commands/a.rs f"]);
}
