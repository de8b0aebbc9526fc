//! Which room may import which?
//!
//! A room is a module at the top of a crate, with all below it. A row `x/*` stands for the modules at the top of
//! the crate x that have no row of their own. `lib.rs` is the facade of its crate and belongs to no room;
//! `main.rs` is the room `main`.

use std::collections::BTreeSet;
use std::fs;

use crate::paths::At;
use crate::tree::{Crate, Tree, root, tree};
use crate::violation::{Violation, hold};

/// Each room, and the rooms that it may import. The name of a crate means all of its rooms.
const TABLE: &[(&str, &[&str])] = &[
    ("core/syntax", &[]),
    ("core/data", &[]),
    ("core/crypto", &[]),
    ("core/mst", &["core/data"]),
    ("core/car", &["core/data"]),
    ("core/identity", &["core/syntax", "core/data", "core/crypto"]),
    ("core/commit_fields", &["core/syntax", "core/data", "core/crypto"]),
    ("core/commit", &["core/syntax", "core/data", "core/crypto", "core/commit_fields"]),
    (
        "core/sync",
        &["core/syntax", "core/data", "core/crypto", "core/mst", "core/car", "core/commit"],
    ),
    ("store/*", &["core/syntax", "core/data", "core/crypto"]),
    ("store/memory", &["core/syntax", "core/data", "core/crypto", "store/*"]),
    ("store/entry_lock", &[]),
    ("store/leftovers", &["store/entry_lock"]),
    ("store/unfinished", &["store/entry_lock", "store/leftovers"]),
    ("store/sqlite", &["core/syntax", "core/data", "core/crypto", "store/*", "store/unfinished"]),
    ("store/blob", &["core/data", "store/leftovers", "store/unfinished"]),
    ("store/conformance", &["core/syntax", "core/data", "core/crypto", "store/*"]),
    ("postgres/*", &["core", "store/*"]),
    ("pds/model", &["core", "store/*"]),
    ("pds/local/key_file", &["core", "store/leftovers", "store/unfinished"]),
    ("pds/*", &["core", "store/*", "store/blob", "pds/model", "pds/local/key_file"]),
    ("pds/history", &["core", "store/*", "pds/*", "pds/model"]),
    ("pds/keys", &["core", "store/*", "pds/*", "pds/model", "pds/history"]),
    (
        "pds/verify",
        &["core", "store/*", "store/blob", "pds/*", "pds/model", "pds/history", "pds/keys"],
    ),
    (
        "pds/transfer",
        &[
            "core",
            "store/*",
            "store/blob",
            "pds/*",
            "pds/model",
            "pds/history",
            "pds/keys",
            "pds/verify",
        ],
    ),
    (
        "pds/merge",
        &[
            "core",
            "store/*",
            "store/blob",
            "pds/*",
            "pds/model",
            "pds/history",
            "pds/keys",
            "pds/verify",
            "pds/transfer",
        ],
    ),
    ("pds/retain", &["core", "store", "pds/*", "pds/model", "pds/history", "pds/keys"]),
    (
        "pds/repo",
        &[
            "core",
            "store",
            "pds/*",
            "pds/model",
            "pds/history",
            "pds/keys",
            "pds/verify",
            "pds/transfer",
            "pds/merge",
            "pds/retain",
        ],
    ),
    ("pds/write", &["core", "pds/*", "pds/model", "pds/repo"]),
    (
        "pds/local",
        &[
            "core",
            "store",
            "postgres",
            "pds/*",
            "pds/model",
            "pds/local/key_file",
            "pds/repo",
            "pds/transfer",
        ],
    ),
    ("rescue/*", &["core", "store", "pds"]),
    ("net/*", &["core", "pds"]),
    ("net/xrpc", &["core", "net/*"]),
    ("net/resolve", &["core", "net/*", "net/xrpc"]),
    ("net/mirror", &["core", "store", "pds", "net/*", "net/xrpc", "net/resolve"]),
    ("cli/terminal", &["core"]),
    ("cli/*", &["core", "store", "pds", "rescue", "net", "cli/terminal"]),
    ("cli/answers", &["core", "store", "pds", "rescue", "net", "cli/*", "cli/terminal"]),
    (
        "cli/screens",
        &["core", "store", "pds", "rescue", "net", "cli/*", "cli/terminal", "cli/answers"],
    ),
    (
        "cli/commands",
        &[
            "core",
            "store",
            "pds",
            "rescue",
            "net",
            "cli/*",
            "cli/terminal",
            "cli/answers",
            "cli/screens",
        ],
    ),
    ("cli/args", &["cli/*", "cli/terminal", "cli/commands"]),
    ("cli/main", &["core", "store", "pds", "rescue", "net", "cli"]),
];

/// The crates that only measure or test: they import all that they like.
const MEASURING: [&str; 3] = ["bench", "instructions", "e2e"];

#[test]
fn no_room_reaches_sideways_or_up() {
    hold("layers", violations(tree()));
}

#[test]
fn every_room_has_a_row_and_every_row_a_room() {
    let mut found = BTreeSet::new();
    for at in tree().modules() {
        let one = &tree().crates[at.member];
        if !MEASURING.contains(&&*one.name) && !one.is_facade(at.place) {
            let row = row_of(one, at.place);
            found.insert(row.unwrap_or_else(|| panic!("{} has no row", tree().path_of(at))));
        }
    }
    let empty: Vec<&str> =
        TABLE.iter().map(|(room, _)| *room).filter(|room| !found.contains(room)).collect();
    assert!(empty.is_empty(), "rows without a room: {empty:?}");
}

#[test]
fn the_architecture_page_has_this_table() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows: Vec<String> = TABLE.iter().map(|(room, allowed)| row(room, allowed)).collect();
    assert_eq!(table_of(&page), rows, "ARCHITECTURE.md needs this table:\n{}", rows.join("\n"));
}

/// The direction of flow: no room is above itself.
#[test]
fn the_table_has_no_cycle() {
    let mut left: Vec<_> = TABLE.to_vec();
    while !left.is_empty() {
        let names: Vec<&str> = left.iter().map(|(room, _)| *room).collect();
        let is_free = |(room, allowed): &(&str, &[&str])| {
            !names.iter().any(|other| other != room && is_allowed(room, allowed, other))
        };
        let free = left.iter().position(is_free);
        left.remove(free.unwrap_or_else(|| panic!("a cycle in {names:?}")));
    }
}

fn row(room: &str, allowed: &[&str]) -> String {
    let allowed = if allowed.is_empty() { "–".to_owned() } else { allowed.join(" ") };
    format!("{room:<18} {allowed}")
}

fn table_of(page: &str) -> Vec<&str> {
    let rows = page.lines().skip_while(|line| !line.starts_with("room "));
    rows.skip(1).take_while(|line| !line.starts_with("```")).collect()
}

fn is_allowed(room: &str, allowed: &[&str], used: &str) -> bool {
    let crate_of = used.split('/').next().unwrap_or_default();
    room == used || allowed.contains(&used) || allowed.contains(&crate_of)
}

/// The room of a module. The facade and the crates that measure have none.
pub(crate) fn row_of(one: &Crate, place: usize) -> Option<&'static str> {
    let root = ["main".to_owned()];
    let names = &one.places[place].names;
    let names = if names.is_empty() { &root } else { names.as_slice() };
    let name = [std::slice::from_ref(&one.name), names].concat().join("/");
    let is_below = |room: &str| name == room || name.starts_with(&format!("{room}/"));
    let named = TABLE.iter().filter(|(room, _)| is_below(room)).max_by_key(|(room, _)| room.len());
    let rest = TABLE.iter().find(|(room, _)| *room == format!("{}/*", one.name));
    match (one.is_facade(place), named.or(rest)) {
        (false, Some((room, _))) => Some(room),
        (true, _) | (false, None) => None,
    }
}

fn violations(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for at in tree.modules() {
        let Some(room) = row_of(&tree.crates[at.member], at.place) else { continue };
        let (_, allowed) =
            TABLE.iter().find(|(name, _)| *name == room).expect("a row of the table");
        for named in tree.named_by(at) {
            let Some(used) = tree
                .resolve(at, &named.segments)
                .and_then(|reached| used(tree, at, reached.defined))
            else {
                continue;
            };
            if !is_allowed(room, allowed, used) {
                let path = tree.path_of(at);
                let text = named.segments.join("::");
                found.push(Violation {
                    key: format!("{path} {used}"),
                    detail: format!("{path}:{}: {room} may not import {used}: {text}", named.line),
                });
            }
        }
    }
    found
}

/// The room that a path leads to. What only the facade of another crate has counts as the crate.
fn used(tree: &Tree, from: At, to: At) -> Option<&'static str> {
    let one = &tree.crates[to.member];
    let row = row_of(one, to.place);
    if row.is_some() || to.member == from.member {
        return row;
    }
    let of_crate = |(room, _): &&(&str, &[&str])| room.starts_with(&format!("{}/", one.name));
    TABLE.iter().find(of_crate).map(|(room, _)| *room)
}

#[test]
fn planted_imports_of_other_rooms_are_found() {
    let keys = |crates: Vec<Crate>| -> Vec<String> {
        violations(&Tree { crates }).into_iter().map(|violation| violation.key).collect()
    };
    let core = |tree: &str| {
        let lib = "pub mod data;\npub mod mst;\npub mod car;\npub use data::Cid;";
        let files =
            [("lib.rs", lib), ("data.rs", "pub struct Cid;"), ("mst.rs", tree), ("car.rs", "")];
        Crate::planted("core", &files)
    };
    let at = "crates/pds-core/src/mst.rs";
    for (code, room) in [
        ("use crate::car::Reader;", "core/car"),
        ("use crate::{data::Cid, car::Reader};", "core/car"),
        ("use crate::{\n    car::{A, B as C},\n    data::Cid,\n};", "core/car"),
        ("fn f() { crate::car::open(); }", "core/car"),
        ("fn f() { assert!(super::car::open()); }", "core/car"),
        ("use super::{car as other};\nfn f() { other::open(); }", "core/car"),
        ("use pds_store::change::Change;", "store/*"),
        ("use pds_store::Change;", "store/*"),
        ("use pds_store::sqlite::Pool;", "store/sqlite"),
    ] {
        let store = [
            ("lib.rs", "pub mod change;\npub mod sqlite;\npub use change::Change;"),
            ("change.rs", "use pds_core::Cid;\npub struct Change;"),
            ("sqlite.rs", "use crate::change::Change;"),
        ];
        let mut found = keys(vec![core(code), Crate::planted("store", &store)]);
        found.dedup();
        assert_eq!(found, [format!("{at} {room}")], "{code}");
    }
    let allowed = "use crate::data::Cid;\nuse crate::Cid as Again;\nuse std::fmt;\n\
        #[cfg(test)]\nmod tests { use crate::car; }";
    assert!(keys(vec![core(allowed)]).is_empty());
}

#[test]
fn a_planted_room_without_a_row_is_found() {
    let one = Crate::planted(
        "core",
        &[("lib.rs", "mod data;\nmod other;"), ("data.rs", ""), ("other.rs", "")],
    );
    let place = |name: &str| one.place(&[name.to_owned()]).unwrap();
    assert_eq!(row_of(&one, place("data")), Some("core/data"));
    assert_eq!(row_of(&one, place("other")), None);
}

#[test]
fn the_table_of_a_page_is_read() {
    let page = "# Page\n```\nroom   may import\ncore/a b c\n```\ncore/d e\n";
    assert_eq!(table_of(page), ["core/a b c"]);
    assert_eq!(row("core/data", &[]), "core/data          –");
}
