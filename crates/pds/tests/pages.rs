//! Pages that list what the code has are complete, and all pages keep their form.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use pds::Code;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

#[test]
fn every_finding_has_its_row() {
    let page = page("docs/findings.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for code in Code::ALL {
        let name = format!("`{}`", code.as_str());
        let row = rows.iter().find(|row| row[0] == name);
        let row = row.unwrap_or_else(|| panic!("{name} is not in docs/findings.md"));
        assert_eq!((row[1], row[2]), (code.stage().as_str(), code.severity().as_str()), "{name}");
        assert!(!row[3].is_empty() && !row[4].is_empty(), "{name}");
    }
    assert_eq!(rows.len(), Code::ALL.len(), "a row without a code");
}

/// Returns the names and values of constants, and checks that the crate has no others.
macro_rules! all_limits {
    ($($name:ident)*) => {{
        let source = page("crates/pds-core/src/data/limits.rs");
        let public = source.lines().filter_map(|line| line.strip_prefix("pub const "));
        let names: Vec<&str> = public.filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names, [$(stringify!($name)),*]);
        [$((stringify!($name), u64::try_from(pds::data::limits::$name).unwrap())),*]
    }};
}

#[test]
fn every_limit_has_its_row() {
    let limits = all_limits!(
        MAX_BLOCK_BYTES MAX_RECORD_BYTES MAX_WRITTEN_RECORD_BYTES MAX_MESSAGE_BYTES MAX_EVENT_OPS
        MAX_EVENT_BLOCKS_BYTES MAX_SYNC_BLOCKS_BYTES MAX_NESTING
        MAX_BLOCK_NESTING MAX_CONTAINER_ENTRIES MAX_MAP_KEY_BYTES MAX_JSON_BYTES MAX_TREE_KEY_BYTES
        MAX_NODE_ENTRIES MAX_TREE_LEVEL MAX_EARLIER_STATES MAX_CAR_HEADER_BYTES MAX_VARINT_BYTES
        MAX_CLOCK_DRIFT_MICROS MAX_SAFE_INTEGER MAX_DID_DOCUMENT_BYTES MAX_PLC_LOG_BYTES
        MAX_PLC_OPERATIONS MAX_PLC_OPERATION_BYTES MAX_PLC_ROTATION_KEYS
        MAX_WRITTEN_PLC_ROTATION_KEYS MAX_WRITTEN_PLC_OPERATION_BYTES
        MAX_PLC_VERIFICATION_METHODS PLC_RECOVERY_MICROS MAX_LOG_MESSAGE_BYTES
    );
    let page = page("docs/limits.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for (name, value) in limits {
        let row = rows.iter().find(|row| row.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in docs/limits.md"));
        let shown: String = row.split('|').nth(2).unwrap_or_default().replace([',', ' '], "");
        assert_eq!(shown, value.to_string(), "{name}");
    }
    assert_eq!(rows.len(), limits.len(), "a row without a limit");
}

/// A room is a folder of modules. The files next to `lib.rs` form one more room in each crate.
#[test]
fn every_room_has_an_example() {
    let (mut rooms, mut without) = (0, Vec::new());
    for name in ["pds-core", "pds-store", "pds", "pds-rescue"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        let mut beside = Vec::new();
        let mut named = Vec::new();
        for entry in fs::read_dir(&root).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named.push((path.display().to_string(), sources(&path)));
            } else if !path.ends_with("lib.rs") {
                beside.extend(sources(&path));
            }
        }
        named.push((root.display().to_string(), beside));
        for (room, files) in named {
            if files.iter().any(|text| has_public_items(text)) {
                rooms += 1;
                if !files.iter().any(|text| has_example(text)) {
                    without.push(room);
                }
            }
        }
    }
    assert!(rooms > 14, "only {rooms} rooms were found");
    assert!(without.is_empty(), "{}", without.join("\n"));
}

/// Returns the texts of a source file, or of all source files in a folder.
fn sources(path: &Path) -> Vec<String> {
    let (mut texts, mut waiting) = (Vec::new(), vec![path.to_owned()]);
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
    texts
}

fn has_public_items(text: &str) -> bool {
    text.lines().filter_map(|line| line.strip_prefix("pub ")).any(|item| {
        ["struct ", "enum ", "trait ", "fn ", "const "].iter().any(|kind| item.starts_with(kind))
    })
}

/// Returns whether the documentation of an item or of the module has a Rust example.
fn has_example(text: &str) -> bool {
    let fences = ["```", "```no_run"];
    let docs = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! "))
    });
    // Every second fence ends an example.
    docs.filter(|line| line.starts_with("```")).step_by(2).any(|fence| fences.contains(&fence))
}

/// The example of the README, run in a directory of its own.
#[cfg(feature = "sqlite")]
mod readme {
    #[rustfmt::skip]
    fn run() -> Result<(), Box<dyn std::error::Error>> {
use pds::{Repo, Value};

let repo = Repo::create("alice", &"did:web:alice.example.com".parse()?)?;
repo.put(&"com.example.note/first".parse()?, &Value::from([("text", Value::from("hello"))]))?;
let record = repo.find(&"com.example.note/first".parse()?)?;
        // The README ends here.
        let record = record.ok_or("the record was just put")?;
        assert_eq!(record.value()?.get("text"), Some(&Value::from("hello")));
        Ok(())
    }

    #[test]
    fn the_example_of_the_readme_runs() {
        let readme = super::page("README.md");
        let example = readme.split_once("```rust\n").unwrap().1.split_once("```").unwrap().0;
        let here = include_str!("pages.rs");
        assert!(here.contains(&format!("{example}        // The README ends here.")), "{example}");
        // No other test of this program depends on the directory.
        let dir = tempfile::tempdir().unwrap();
        std::env::set_current_dir(dir.path()).unwrap();
        run().unwrap();
        assert!(dir.path().join("alice/pds.db").exists());
    }
}

#[test]
#[cfg(feature = "sqlite")]
fn the_format_page_has_the_tables_that_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    drop(pds::store::SqliteStore::create(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let page = squeeze(&page("docs/format.md"));
    let mut tables =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL").unwrap();
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(tables.len(), 7, "six tables and an index");
    for sql in tables {
        assert!(page.contains(&squeeze(&sql)), "{sql}");
    }
    let number = |pragma: &str| -> i64 {
        connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    };
    assert!(page.contains(&format!("0x{:x}", number("application_id"))));
    assert!(page.contains(&format!("pagesizeis{}", number("page_size"))));
    assert!(page.contains(&format!("**format{}**", number("user_version"))));
}

/// Every Markdown file of the project.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut pages, mut waiting) = (Vec::new(), vec![root.clone()]);
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                pages.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    pages
}

#[test]
fn pages_stay_short() {
    for (name, most) in [("docs/performance.md", 90), ("CHANGELOG.md", 30)] {
        let lines = page(name).lines().count();
        assert!(lines <= most, "{name} has {lines} lines, at most {most}");
    }
    let glossary = page("docs/glossary.md");
    let terms = glossary.lines().filter(|line| line.starts_with("- *")).count();
    assert!((1..=40).contains(&terms), "the glossary has {terms} terms, at most 40");
}

/// `Status: accepted`, or which decisions have amended or superseded this one.
#[test]
fn every_decision_has_a_status() {
    let decisions: Vec<(String, String)> =
        pages().into_iter().filter(|(name, _)| name.starts_with("docs/decisions/")).collect();
    assert!(decisions.len() >= 30, "the decisions were found");
    let exists = |number: u32| {
        let start = format!("docs/decisions/{number:04}-");
        decisions.iter().any(|(name, _)| name.starts_with(&start))
    };
    for (name, text) in &decisions {
        let mut lines = text.lines();
        assert!(lines.next().is_some_and(|line| line.starts_with("# ")), "{name} has a title");
        assert_eq!(lines.next(), Some(""), "{name}");
        let line = lines.next().unwrap_or_default();
        let status = line.strip_prefix("Status: ").unwrap_or_else(|| panic!("{name}: {line}"));
        if status.starts_with("accepted") {
            continue;
        }
        let by = ["amended by ", "superseded by "].iter().find_map(|by| status.strip_prefix(by));
        let by = by.unwrap_or_else(|| panic!("{name}: {line}"));
        let number: String = by.chars().take_while(char::is_ascii_digit).collect();
        assert!(number.parse().is_ok_and(exists), "{name}: {line}");
    }
}

#[test]
fn no_line_of_a_page_is_longer_than_120_columns() {
    let pages = pages();
    assert!(pages.iter().any(|(name, _)| name == "README.md"), "the pages were found");
    let mut long = Vec::new();
    for (name, text) in &pages {
        let mut is_code = false;
        for (number, line) in (1..).zip(text.lines()) {
            is_code ^= line.trim_start().starts_with("```");
            let is_free = is_code || line.trim_start().starts_with('|');
            if !is_free && line.chars().count() > 120 {
                long.push(format!("{name}:{number}"));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut links, mut broken) = (0, Vec::new());
    for (name, text) in pages() {
        let here = root.join(&name).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") {
                links += 1;
                if !here.join(file).exists() {
                    broken.push(format!("{name}: {link}"));
                }
            }
        }
    }
    assert!(links > 10 && broken.is_empty(), "{}", broken.join("\n"));
}
