//! Checks of refs: expectations, edits made together, targets.

use crate::conformance::support::{
    Check, apply, assert_chain, assert_count, cid, edit, everything, has, name, refs, refused,
    rows, version, view, write,
};
use crate::error::StoreError;
use crate::fact::{Fact, FactEdit};
use crate::log::LogQuery;
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::Store;

pub(crate) const CHECKS: &[Check] = &[
    (
        "an expectation that does not hold refuses the change",
        an_expectation_that_fails_changes_nothing,
    ),
    ("edits are made together or not at all", several_edits_are_made_together),
    ("edits of one ref are made in order", edits_of_one_ref_are_made_in_order),
    ("a ref points to a block that is stored", a_ref_points_to_a_stored_block),
    ("refs are read in the order of their names", refs_are_read_in_order),
];

fn an_expectation_that_fails_changes_nothing(store: &dyn Store) {
    let (one, two) = (cid(1), cid(2));
    for wrong in [Expect::Present, Expect::Exactly(one)] {
        let error = refused(
            store,
            write([1], [edit("HEAD", Some(one), wrong)]),
            "an expectation that does not hold fails with `Moved`",
        );
        let is_moved = matches!(error, StoreError::Moved { found: None, .. });
        assert!(
            is_moved,
            "an expectation that does not hold fails with `Moved`: {wrong:?}, {error:?}"
        );
    }
    apply(store, write([1], [edit("HEAD", Some(one), Expect::Absent)]));
    let before = version(store);
    for wrong in [Expect::Absent, Expect::Exactly(two)] {
        let error = refused(
            store,
            write([2], [edit("HEAD", Some(two), wrong)]),
            "an expectation that does not hold fails with `Moved`",
        );
        let StoreError::Moved { name, expected, found } = error else {
            panic!("an expectation that does not hold fails with `Moved`: {error:?}");
        };
        let said = (name, expected, found);
        assert_eq!(
            said,
            (RefName::head(), wrong, Some(one)),
            "`Moved` names the commit that was found"
        );
    }
    let view = view(store);
    assert_eq!(view.version(), before, "a failed change has no number");
    assert_eq!(
        refs(view.as_ref()).get(&RefName::head()),
        Some(one),
        "a failed change moves no ref"
    );
    assert_eq!(
        refs(view.as_ref()).get(&name("absent")),
        None,
        "a ref that was never set is absent"
    );
    assert!(!has(store, 2), "a failed change leaves no block");
    let query = LogQuery::oldest_first().of(RefName::head());
    assert_eq!(rows(view.as_ref(), &query).len(), 1, "a failed change leaves no log row");
    drop(view);
    for right in [Expect::Present, Expect::Exactly(one), Expect::Any] {
        apply(store, write([], [edit("HEAD", Some(one), right)]));
    }
    assert_chain(store);
}

fn several_edits_are_made_together(store: &dyn Store) {
    let (one, two) = (cid(1), cid(2));
    let edits = [edit("a", Some(one), Expect::Absent), edit("b", Some(two), Expect::Present)];
    let fact = FactEdit::Set(Fact::Erasing);
    refused(store, write([1, 2], edits).fact(fact), "edits are made together or not at all");
    assert!(everything(store).refs.is_empty(), "edits are made together or not at all");
    let edits = [edit("b", Some(two), Expect::Absent), edit("a", Some(one), Expect::Absent)];
    let applied = apply(store, write([1, 2], edits));
    let after = everything(store);
    let expected = [(name("a"), one), (name("b"), two)];
    assert_eq!(after.refs.as_slice(), expected, "refs are read in the order of their names");
    let named: Vec<&str> = after.log.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(named, ["b", "a"], "each edit has a log row, in the order of the edits");
    let newest = after.log.last().map(|row| row.seq);
    assert_eq!(
        newest,
        Some(applied.version.change),
        "the last row of a change has the number of the change"
    );
    apply(store, write([], [edit("a", None, Expect::Exactly(one))]));
    let expected = [(name("b"), two)];
    assert_eq!(
        refs(view(store).as_ref()).as_slice(),
        expected,
        "an edit without a target removes the ref"
    );
    assert!(has(store, 1), "the removal of a ref deletes no block");
    assert_chain(store);
}

fn edits_of_one_ref_are_made_in_order(store: &dyn Store) {
    let (one, two) = (cid(1), cid(2));
    let to = |target, expect| edit("HEAD", target, expect);
    let edits = [to(Some(one), Expect::Absent), to(Some(two), Expect::Exactly(one))];
    apply(store, write([1, 2], edits));
    let after = everything(store);
    assert_eq!(after.refs.get(&RefName::head()), Some(two), "edits of one ref are made in order");
    assert_eq!(after.log.len(), 2, "each edit has a log row");
    assert_chain(store);
    // The second edit expects a value that the first one has not left.
    let rule = "an expectation is about the ref after the edits before it";
    let edits = [to(None, Expect::Present), to(Some(one), Expect::Present)];
    let error = refused(store, write([3], edits), rule);
    assert!(matches!(error, StoreError::Moved { found: None, .. }), "{rule}: {error:?}");
    apply(store, write([], [to(None, Expect::Exactly(two)), to(Some(one), Expect::Absent)]));
    assert_eq!(
        everything(store).refs.get(&RefName::head()),
        Some(one),
        "edits of one ref are made in order"
    );
    assert_chain(store);
}

fn a_ref_points_to_a_stored_block(store: &dyn Store) {
    let error = refused(
        store,
        write([1], [edit("HEAD", Some(cid(2)), Expect::Any)]),
        "a ref cannot point to a missing block",
    );
    let StoreError::TargetMissing { name, target } = error else {
        panic!("a ref cannot point to a missing block: {error:?}");
    };
    assert_eq!((name, target), (RefName::head(), cid(2)), "`TargetMissing` names the block");
    assert_count(store, 0, "a failed change leaves no block");
    let edits = [edit("a", Some(cid(1)), Expect::Any), edit("b", Some(cid(2)), Expect::Any)];
    refused(store, write([1], edits), "a ref cannot point to a missing block");
    apply(store, write([1], [edit("a", Some(cid(1)), Expect::Any)]));
    apply(store, write([], [edit("b", Some(cid(1)), Expect::Any)]));
    assert_chain(store);
}

fn refs_are_read_in_order(store: &dyn Store) {
    // Not in the order of the names, and with names that sort by bytes.
    let names: Vec<String> = (0..300).map(|n| format!("r{}/{n}", (n * 7) % 300)).collect();
    apply(
        store,
        write(0..300, names.iter().zip(0..).map(|(to, n)| edit(to, Some(cid(n)), Expect::Absent))),
    );
    apply(
        store,
        write([], ["Z", "z", "a.b", "a-b", "a_b"].map(|to| edit(to, Some(cid(0)), Expect::Absent))),
    );
    let refs = refs(view(store).as_ref());
    assert_eq!(refs.iter().count(), 305, "every ref is read");
    assert!(
        refs.as_slice().is_sorted_by(|(a, _), (b, _)| a < b),
        "refs are read in the order of their names"
    );
    for (to, n) in names.iter().zip(0..) {
        assert_eq!(refs.get(&name(to)), Some(cid(n)), "a ref points to the block of its edit");
    }
}
