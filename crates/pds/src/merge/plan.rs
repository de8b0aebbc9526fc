//! The three-way merge of records, without access to a store.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::iter::Peekable;

use crate::error::{Error, Result};
use crate::model::conflict::{Conflicts, Resolution, Side, SideChanges, Versions};
use crate::model::write::RecordChange;
use crate::snapshot::record_path;
use pds_core::commit::Commit;
use pds_core::mst::diff::Change;
use pds_core::mst::error::MstError;
use pds_core::mst::key::Key;
use pds_core::syntax::record_path::RecordPath;

/// Decides for each record which side wins.
///
/// # Errors
///
/// The errors of the records; [`Error::NotInConflict`] if the resolution names a record without a conflict.
pub(crate) fn plan(
    resolution: &Resolution,
    records: impl Iterator<Item = Result<Versions>>,
) -> Result<SideChanges> {
    let mut plan = SideChanges::default();
    let mut unused: HashSet<&RecordPath> = resolution.paths.keys().collect();
    for record in records {
        let record = record?;
        let Versions { base, ours, theirs, .. } = record;
        plan.by_ours += u64::from(ours != base);
        plan.by_theirs += u64::from(theirs != base);
        let is_same = ours == theirs && ours != base;
        let side = if theirs == base || theirs == ours {
            Some(Side::Ours)
        } else if ours == base {
            Some(Side::Theirs)
        } else {
            unused.remove(&record.path);
            resolution.paths.get(&record.path).copied().or(resolution.rest)
        };
        match side {
            Some(Side::Ours) if is_same => plan.same.push(record.path),
            Some(Side::Ours) => {}
            Some(Side::Theirs) => {
                let (path, before, after) = (record.path, ours, theirs);
                plan.adopted.push(RecordChange { path, before, after });
            }
            None => plan.conflicts.push(record),
        }
    }
    match unused.into_iter().min_by_key(|path| path.to_string()) {
        Some(path) => Err(Error::NotInConflict(path.clone())),
        None => Ok(plan),
    }
}

/// Returns the error for changes with conflicts.
pub(crate) fn stopped(
    base: Option<Commit>,
    ours: &Commit,
    theirs: &Commit,
    changes: SideChanges,
) -> Error {
    let (ours, theirs) = (ours.clone(), theirs.clone());
    Error::Conflicts(Box::new(Conflicts { base, ours, theirs, changes }))
}

/// Joins the changes of two sides since their common base: every record that either side changed, in key order.
pub(crate) fn join(
    ours: impl Iterator<Item = Result<Change, MstError>>,
    theirs: impl Iterator<Item = Result<Change, MstError>>,
) -> impl Iterator<Item = Result<Versions>> {
    let (mut ours, mut theirs) = (ours.peekable(), theirs.peekable());
    std::iter::from_fn(move || next(&mut ours, &mut theirs).transpose())
}

fn next(
    ours: &mut Peekable<impl Iterator<Item = Result<Change, MstError>>>,
    theirs: &mut Peekable<impl Iterator<Item = Result<Change, MstError>>>,
) -> Result<Option<Versions>> {
    let order = match (ours.peek(), theirs.peek()) {
        (None, None) => return Ok(None),
        // The side with an error goes first, so that its error is returned.
        (None, Some(_)) | (Some(Ok(_)), Some(Err(_))) => Ordering::Greater,
        (Some(_), None) | (Some(Err(_)), Some(_)) => Ordering::Less,
        (Some(Ok(ours)), Some(Ok(theirs))) => ours.key.cmp(&theirs.key),
    };
    let ours = if order.is_le() { ours.next().transpose()? } else { None };
    let theirs = if order.is_ge() { theirs.next().transpose()? } else { None };
    let versions = |key: &Key, base, ours, theirs| {
        Ok(Some(Versions { path: record_path(key.as_bytes())?, base, ours, theirs }))
    };
    match (ours, theirs) {
        (None, None) => Ok(None),
        // The other side still has the version of the base.
        (Some(ours), None) => versions(&ours.key, ours.before, ours.after, ours.before),
        (None, Some(theirs)) => versions(&theirs.key, theirs.before, theirs.before, theirs.after),
        (Some(ours), Some(theirs)) => versions(&ours.key, ours.before, ours.after, theirs.after),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use pds_core::data::cid::{Cid, Codec};

    /// The name of each record, with a number for its content.
    type State = BTreeMap<String, u8>;

    fn state() -> impl Strategy<Value = State> {
        btree_map("com\\.(a|a-b|b)\\.x/[a-d]", 0..3_u8, 0..9)
    }

    fn cid(content: u8) -> Cid {
        Cid::of(Codec::Cbor, &[content])
    }

    fn changes(
        before: &State,
        after: &State,
    ) -> impl Iterator<Item = Result<Change, MstError>> + use<> {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
        let change = |name: &String| {
            let key = Key::new(name.as_bytes()).unwrap();
            let of = |state: &State| state.get(name).copied().map(cid);
            Ok(Change { key, before: of(before), after: of(after) })
        };
        differ.map(change).collect::<Vec<_>>().into_iter()
    }

    fn touched(before: &State, after: &State) -> BTreeSet<String> {
        let names = before.keys().chain(after.keys());
        names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
    }

    /// The definition of a merge with sets of names: records that only they changed become theirs, and records
    /// that both changed differently are conflicts.
    fn merged([base, ours, theirs]: [&State; 3], rest: Option<Side>) -> (State, Vec<String>) {
        let (by_us, by_them) = (touched(base, ours), touched(base, theirs));
        let mut taken: BTreeSet<String> = by_them.difference(&by_us).cloned().collect();
        let both = by_us.intersection(&by_them).cloned();
        let undecided = both.filter(|name| ours.get(name) != theirs.get(name));
        let mut conflicts = Vec::new();
        match rest {
            None => conflicts.extend(undecided),
            Some(Side::Ours) => {}
            Some(Side::Theirs) => taken.extend(undecided),
        }
        let kept = ours.iter().filter(|(name, _)| !taken.contains(*name));
        let new = theirs.iter().filter(|(name, _)| taken.contains(*name));
        (kept.chain(new).map(|(name, content)| (name.clone(), *content)).collect(), conflicts)
    }

    fn sides() -> impl Strategy<Value = Option<Side>> {
        prop_oneof![Just(None), Just(Some(Side::Ours)), Just(Some(Side::Theirs))]
    }

    proptest! {
        #[test]
        fn a_merge_is_what_sets_of_names_say(
            base in state(),
            ours in state(),
            theirs in state(),
            rest in sides(),
        ) {
            let records = join(changes(&base, &ours), changes(&base, &theirs));
            let plan = plan(&Resolution { rest, ..Resolution::default() }, records).unwrap();
            let (expected, undecided) = merged([&base, &ours, &theirs], rest);
            let conflicts: Vec<String> =
                plan.conflicts.iter().map(|record| record.path.to_string()).collect();
            prop_assert_eq!(conflicts, undecided);
            let (by_us, by_them) = (touched(&base, &ours), touched(&base, &theirs));
            prop_assert_eq!(plan.by_ours, by_us.len() as u64);
            prop_assert_eq!(plan.by_theirs, by_them.len() as u64);
            let same = by_us.intersection(&by_them).filter(|name| ours.get(*name) == theirs.get(*name));
            prop_assert!(same.cloned().eq(plan.same.iter().map(RecordPath::to_string)));

            let mut result: BTreeMap<String, Cid> =
                ours.iter().map(|(name, content)| (name.clone(), cid(*content))).collect();
            for RecordChange { path, before, after } in plan.adopted {
                let replaced = match after {
                    Some(after) => result.insert(path.to_string(), after),
                    None => result.remove(&path.to_string()),
                };
                prop_assert_eq!(replaced, before);
                prop_assert_ne!(before, after);
            }
            let expected: BTreeMap<String, Cid> =
                expected.into_iter().map(|(name, content)| (name, cid(content))).collect();
            prop_assert_eq!(result, expected);
        }

        #[test]
        fn each_conflict_can_be_decided_on_its_own(
            base in state(),
            ours in state(),
            theirs in state(),
            choices in proptest::collection::vec(prop_oneof![Just(Side::Ours), Just(Side::Theirs)], 12),
        ) {
            let plan = |resolution: Resolution| {
                plan(&resolution, join(changes(&base, &ours), changes(&base, &theirs)))
            };
            let open = plan(Resolution::default()).unwrap();
            let paths = open.conflicts.iter().map(|record| record.path.clone());
            let paths: HashMap<RecordPath, Side> = paths.zip(choices).collect();
            let taken = paths.values().filter(|side| **side == Side::Theirs).count();
            let decided = plan(Resolution { paths, rest: None }).unwrap();
            prop_assert!(decided.conflicts.is_empty());
            prop_assert_eq!(decided.adopted.len(), open.adopted.len() + taken);
        }
    }

    #[test]
    fn a_choice_that_is_not_needed_is_refused() {
        let path: RecordPath = "com.example.a/x".parse().unwrap();
        let resolution = Resolution { paths: [(path.clone(), Side::Ours)].into(), rest: None };
        match plan(&resolution, std::iter::empty()) {
            Err(Error::NotInConflict(found)) => assert_eq!(found, path),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_error_on_either_side_comes_out() {
        let broken = || std::iter::once(Err(MstError::Missing { cid: cid(1) }));
        let other = || changes(&State::new(), &State::from([("com.example.a/x".to_owned(), 1)]));
        assert!(join(broken(), other()).any(|record| record.is_err()));
        assert!(join(other(), broken()).any(|record| record.is_err()));
    }
}
