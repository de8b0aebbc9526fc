//! Prints the public items of a library, one per line, from the JSON that rustdoc writes about it.
//!
//! Left out are the implementations that follow from others (`Send`, `impl<T> From<T> for T`) and the methods of
//! implementations of traits: the line of the `impl` names the trait.

use std::collections::HashSet;
use std::error::Error;
use std::io::{Write, stdout};

use public_api::{Builder, PublicItem};

/// Modules of the standard library whose names a reader does not miss.
const KNOWN: [&str; 17] = [
    "alloc::boxed::",
    "alloc::string::",
    "alloc::vec::",
    "core::clone::",
    "core::cmp::",
    "core::convert::",
    "core::default::",
    "core::error::",
    "core::fmt::",
    "core::hash::",
    "core::iter::traits::collect::",
    "core::iter::traits::iterator::",
    "core::marker::",
    "core::ops::function::",
    "core::option::",
    "core::result::",
    "core::str::traits::",
];

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: atpds-api FILE.json")?;
    let builder = Builder::from_rustdoc_json(path);
    let api = builder.omit_blanket_impls(true).omit_auto_trait_impls(true).build()?;

    let impls = api.items().filter(|item| is_trait_impl(&item.to_string()));
    let impls: HashSet<_> = impls.map(PublicItem::id).collect();
    let mut out = stdout().lock();
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    for item in api.items() {
        let line = item.to_string();
        if !seen.insert(item.id()) {
            // A second name for an item, or an implementation that belongs to two types.
            repeated.insert(item.id());
        }
        let is_part = item.parent_id().is_some_and(|parent| repeated.contains(&parent));
        if repeated.contains(&item.id()) && (is_part || line.starts_with("impl")) {
            continue;
        }
        let is_method = line.starts_with("pub fn")
            && item.parent_id().is_some_and(|parent| impls.contains(&parent));
        // `derive(PartialEq)` writes it, for the compiler.
        if !is_method && !line.contains("core::marker::StructuralPartialEq for ") {
            writeln!(out, "{}", shortened(&line))?;
        }
    }
    Ok(())
}

fn is_trait_impl(line: &str) -> bool {
    line.starts_with("impl") && line.contains(" for ")
}

/// Leaves out the names in [`KNOWN`], but not the end of a longer name.
fn shortened(line: &str) -> String {
    KNOWN.iter().fold(line.to_owned(), |line, known| {
        let mut parts = line.split(known);
        let mut short = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            if short.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                short.push_str(known);
            }
            short.push_str(part);
        }
        short
    })
}
