//! The crates of the workspace, each with its files and modules.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::lexer::{Lexed, lex};
use crate::source::{Module, Source};

pub(crate) struct File {
    /// The path from the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) source: Source,
    pub(crate) lexed: Lexed,
    /// Whether the file is compiled for tests only.
    pub(crate) is_test: bool,
}

/// A module of a crate that is not compiled for tests only.
pub(crate) struct Place {
    /// The names from the root of the crate, which has none.
    pub(crate) names: Vec<String>,
    pub(crate) file: usize,
    inside: usize,
}

pub(crate) struct Crate {
    /// The name of the folder without `pds-`.
    pub(crate) name: String,
    /// The name in paths of other crates.
    pub(crate) library: String,
    pub(crate) files: Vec<File>,
    pub(crate) places: Vec<Place>,
    by_names: HashMap<Vec<String>, usize>,
}

pub(crate) struct Tree {
    pub(crate) crates: Vec<Crate>,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The sources of the workspace. They are read once.
pub(crate) fn tree() -> &'static Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    TREE.get_or_init(|| Tree { crates: members(&root()).iter().map(|dir| read(dir)).collect() })
}

impl Tree {
    /// A workspace with one crate `pds` of these files, for tests of the rules.
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        Self { crates: vec![Crate::planted("pds", files)] }
    }

    /// The files of all crates, with the position of the crate.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Crate, &File)> {
        self.crates.iter().flat_map(|one| one.files.iter().map(move |file| (one, file)))
    }
}

impl Crate {
    /// A crate of these files, which are named from its `src`.
    pub(crate) fn planted(name: &str, files: &[(&str, &str)]) -> Self {
        let src = if name == "pds" { "crates/pds/src" } else { &format!("crates/pds-{name}/src") };
        let text = |(path, text): &(&str, &str)| (format!("{src}/{path}"), (*text).to_owned());
        let library = if name == "pds" { "pds".to_owned() } else { format!("pds_{name}") };
        Self::of(name.to_owned(), library, src, files.iter().map(text).collect())
    }

    /// Follows the `mod` declarations from the root. Panics if a file is missing or left over.
    fn of(name: String, library: String, src: &str, mut texts: BTreeMap<String, String>) -> Self {
        let root = ["lib.rs", "main.rs"].map(|file| format!("{src}/{file}"));
        let root = root.into_iter().find(|path| texts.contains_key(path));
        let root = root.unwrap_or_else(|| panic!("{src} has neither lib.rs nor main.rs"));
        let (files, places, by_names) = (Vec::new(), Vec::new(), HashMap::new());
        let mut found = Self { name, library, files, places, by_names };
        let mut waiting = vec![(root, Vec::new(), false)];
        while let Some((path, names, is_test)) = waiting.pop() {
            let text = texts.remove(&path).unwrap_or_else(|| panic!("there is no {path}"));
            let source = Source::read(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
            for (at, module) in source.modules.iter().enumerate() {
                for child in module.children.iter().filter(|child| !child.is_inline) {
                    let file = file_of(&path, module, &child.name, child.file.as_deref(), &texts);
                    let names = names.iter().chain(&module.inside).chain([&child.name]);
                    waiting.push((file, names.cloned().collect(), is_test || child.is_test));
                }
                if !is_test {
                    let names: Vec<String> = names.iter().chain(&module.inside).cloned().collect();
                    found.by_names.insert(names.clone(), found.places.len());
                    found.places.push(Place { names, file: found.files.len(), inside: at });
                }
            }
            let lexed = lex(&text);
            found.files.push(File { path, text, source, lexed, is_test });
        }
        assert!(texts.is_empty(), "files without a `mod`: {:?}", texts.keys());
        found
    }

    pub(crate) fn module(&self, place: usize) -> &Module {
        let place = &self.places[place];
        &self.files[place.file].source.modules[place.inside]
    }

    pub(crate) fn place(&self, names: &[String]) -> Option<usize> {
        self.by_names.get(names).copied()
    }

    pub(crate) fn file_at(&self, place: usize) -> &File {
        &self.files[self.places[place].file]
    }

    /// Whether the module is the one of its file, not one with a body inside it.
    pub(crate) fn is_file(&self, place: usize) -> bool {
        self.places[place].inside == 0
    }

    /// Whether the module is in `lib.rs`, the facade for other crates.
    pub(crate) fn is_facade(&self, place: usize) -> bool {
        self.file_at(place).path.ends_with("/lib.rs")
    }
}

fn file_of(
    parent: &str,
    module: &Module,
    name: &str,
    given: Option<&str>,
    texts: &BTreeMap<String, String>,
) -> String {
    let (folder, file) = parent.rsplit_once('/').unwrap_or(("", parent));
    if let Some(given) = given {
        return format!("{folder}/{given}");
    }
    let mut folder = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    module.inside.iter().for_each(|inline| folder = format!("{folder}/{inline}"));
    let nested = format!("{folder}/{name}/mod.rs");
    if texts.contains_key(&nested) { nested } else { format!("{folder}/{name}.rs") }
}

fn read(dir: &Path) -> Crate {
    let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
    let folder = dir.file_name().unwrap().to_str().unwrap();
    let library = value_in(&manifest, "[lib]", "name")
        .or_else(|| value_in(&manifest, "[package]", "name").map(|name| name.replace('-', "_")));
    let texts = files_under(&dir.join("src"), "rs").into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (from_root(&path), text)
    });
    let name = folder.strip_prefix("pds-").unwrap_or(folder).to_owned();
    Crate::of(name, library.unwrap(), &format!("crates/{folder}/src"), texts.collect())
}

/// The members of the workspace that have sources, and the crates beside it that it excludes.
fn members(root: &Path) -> Vec<PathBuf> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let lists = ["members", "exclude"].map(|key| list_in(&manifest, key));
    let paths = lists.concat().into_iter().filter(|path| path.starts_with("crates/"));
    let named: BTreeSet<PathBuf> = paths.map(|path| root.join(path)).collect();
    let dirs = fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let dirs: BTreeSet<PathBuf> = dirs.filter(|dir| dir.join("Cargo.toml").is_file()).collect();
    assert_eq!(named, dirs, "each crate is a member of the workspace, or excluded");
    dirs.into_iter().filter(|dir| dir.join("src").is_dir()).collect()
}

fn list_in(manifest: &str, key: &str) -> Vec<String> {
    let start = manifest.find(&format!("\n{key} = [")).map_or(manifest.len(), |at| at + 1);
    let text = manifest[start..].split(']').next().unwrap_or_default();
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn value_in(manifest: &str, section: &str, key: &str) -> Option<String> {
    let section = manifest.split(section).nth(1)?.split("\n[").next()?;
    let line = section.lines().find(|line| line.starts_with(&format!("{key} = ")))?;
    line.split('"').nth(1).map(str::to_owned)
}

/// All files below a folder whose name ends with `.` and this ending, in order.
pub(crate) fn files_under(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn from_root(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_str().unwrap().replace('\\', "/")
}

#[test]
fn the_tree_has_crates_with_files() {
    assert!(tree().crates.iter().any(|one| one.name == "cli"));
    let files = tree().files().filter(|(_, file)| !file.is_test).count();
    assert!(files > 100, "{files} files");
}

#[test]
#[should_panic(expected = "files without a `mod`")]
fn a_file_that_no_module_declares_is_reported() {
    Crate::planted("pds", &[("lib.rs", "mod a;"), ("a.rs", ""), ("b.rs", "")]);
}

#[test]
#[should_panic(expected = "there is no crates/pds/src/a/b.rs")]
fn a_file_that_is_missing_is_reported() {
    Crate::planted("pds", &[("lib.rs", "mod a;"), ("a.rs", "mod b;")]);
}

#[test]
fn lists_and_values_are_read_from_a_manifest() {
    let manifest = "[workspace]\nmembers = [\n  \"a\",\n  \"b\",\n]\n[lib]\nname = \"x\"\n";
    assert_eq!(list_in(manifest, "members"), ["a", "b"]);
    assert_eq!(value_in(manifest, "[lib]", "name").as_deref(), Some("x"));
}
