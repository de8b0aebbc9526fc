//! Where a path leads: the module that it names, and the module that defines the item.

use crate::source::{Named, Use};
use crate::tree::Tree;

/// A module of a crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) member: usize,
    pub(crate) place: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Reached {
    /// The module that the path names.
    pub(crate) named: At,
    /// The module that has the item, after all re-exports.
    pub(crate) defined: At,
    /// The rest of the path below `defined`, empty for a module.
    pub(crate) rest: Vec<String>,
    /// Whether the path goes through a `use` of another module.
    pub(crate) is_indirect: bool,
}

/// The bindings that one path may go through.
const DEPTH: usize = 8;

impl Tree {
    /// Follows a path that a module names. `None` if it leads out of the workspace.
    pub(crate) fn resolve(&self, from: At, segments: &[String]) -> Option<Reached> {
        self.start(from, segments, DEPTH)
    }

    fn start(&self, from: At, segments: &[String], depth: usize) -> Option<Reached> {
        let depth = depth.checked_sub(1)?;
        let one = &self.crates[from.member];
        let (first, rest) = segments.split_first()?;
        let names = &one.places[from.place].names;
        match first.as_str() {
            "crate" => return self.below(At { place: one.place(&[])?, ..from }, rest, depth),
            "self" => return self.below(from, rest, depth),
            "super" => return self.below(self.parent(from)?, rest, depth),
            _ => {}
        }
        let mut child = names.clone();
        child.push(first.clone());
        if let Some(place) = one.place(&child) {
            return self.below(At { place, ..from }, rest, depth);
        }
        let uses = &one.module(from.place).uses;
        if let Some(found) = uses.iter().find(|found| &found.name == first)
            && let Some(base) = self.start(from, &found.path.segments, depth)
        {
            // A path below an item that is in scope, such as a variant, is no other import.
            return if base.rest.is_empty() { self.below(base.defined, rest, depth) } else { None };
        }
        let member = self.crates.iter().position(|one| &one.library == first)?;
        (member != from.member).then_some(())?;
        self.below(At { member, place: self.crates[member].place(&[])? }, rest, depth)
    }

    fn parent(&self, at: At) -> Option<At> {
        let one = &self.crates[at.member];
        let (_, parent) = one.places[at.place].names.split_last()?;
        Some(At { place: one.place(parent)?, ..at })
    }

    fn below(&self, from: At, segments: &[String], depth: usize) -> Option<Reached> {
        let mut at = from;
        let mut segments = segments;
        while let Some((first, rest)) = segments.split_first() {
            let one = &self.crates[at.member];
            if first == "super" {
                at = self.parent(at)?;
                segments = rest;
                continue;
            }
            let mut child = one.places[at.place].names.clone();
            child.push(first.clone());
            let module = one.module(at.place);
            let binding = module.uses.iter().find(|found| &found.name == first);
            match (one.place(&child), binding) {
                // A module and a function may have one name: then the end of a path is the function.
                (Some(place), None) => at.place = place,
                (Some(place), Some(_)) if !rest.is_empty() => at.place = place,
                (_, Some(binding)) if !module.items.contains(first) => {
                    let mut path = binding.path.segments.clone();
                    path.extend_from_slice(rest);
                    let reached = self.start(at, &path, depth);
                    let reached = reached.map(|found| (found.defined, found.rest));
                    let (defined, rest) = reached.unwrap_or_else(|| (at, segments.to_vec()));
                    return Some(Reached { named: at, defined, rest, is_indirect: true });
                }
                _ => break,
            }
            segments = rest;
        }
        Some(Reached { named: at, defined: at, rest: segments.to_vec(), is_indirect: false })
    }

    /// Every module of the workspace that is not compiled for tests only.
    pub(crate) fn modules(&self) -> impl Iterator<Item = At> {
        self.crates
            .iter()
            .enumerate()
            .flat_map(|(member, one)| (0..one.places.len()).map(move |place| At { member, place }))
    }

    /// The paths that a module names, those of its imports first.
    pub(crate) fn named_by(&self, at: At) -> impl Iterator<Item = &Named> {
        let module = self.crates[at.member].module(at.place);
        module.uses.iter().map(|Use { path, .. }| path).chain(&module.paths)
    }

    /// The file of a module, with the path from the root of the repository.
    pub(crate) fn path_of(&self, at: At) -> &str {
        &self.crates[at.member].file_at(at.place).path
    }
}

#[test]
fn paths_lead_to_the_module_that_defines() {
    let tree = Tree::planted(&[
        ("lib.rs", "mod a;\nmod c;"),
        ("a/mod.rs", "mod b;\npub use b::{B, b};"),
        ("a/b.rs", "pub struct B;\npub fn b() {}"),
        ("c.rs", "use crate::a::{self, B as Other};\nmod d { use super::super::a::b; }"),
    ]);
    let at = |name: &str| {
        let names: Vec<String> = name.split("::").map(str::to_owned).collect();
        At { member: 0, place: tree.crates[0].place(&names).unwrap() }
    };
    for (from, path, named, defined, is_indirect) in [
        ("c", "crate::a::b::B", "a::b", "a::b", false),
        ("c", "crate::a::B", "a", "a::b", true),
        ("c", "a::B", "a", "a::b", true),
        ("c", "a::b::B", "a::b", "a::b", false),
        ("c", "crate::a::b", "a", "a::b", true),
        ("c::d", "super::Other", "c", "a::b", true),
        ("a::b", "self::B", "a::b", "a::b", false),
        ("a::b", "super::super::c", "c", "c", false),
        ("a", "b::B", "a::b", "a::b", false),
    ] {
        let segments: Vec<String> = path.split("::").map(str::to_owned).collect();
        let reached = tree.resolve(at(from), &segments).unwrap();
        let found = (reached.named, reached.defined, reached.is_indirect);
        assert_eq!(found, (at(named), at(defined), is_indirect), "{from}: {path}");
    }
    for path in ["std::fs::File", "Other::new", "nothing::of"] {
        let segments: Vec<String> = path.split("::").map(str::to_owned).collect();
        assert!(tree.resolve(at("c"), &segments).is_none(), "{path}");
    }
}
