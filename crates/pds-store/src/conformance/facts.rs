//! Checks of facts: they are set, replaced, removed and cleared in the change that they belong to.

use crate::conformance::support::{
    Check, KEYS, apply, cid, edit, everything, facts, has, head, refused, sample_facts, version,
    view, write, write_facts,
};
use crate::error::StoreError;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::refs::Expect;
use crate::store::Store;

pub(crate) const CHECKS: &[Check] = &[
    ("facts of every kind are kept", facts_of_every_kind_are_kept),
    ("a fact has one value for its kind and subject", facts_are_replaced_and_removed),
    ("edits of facts are made in order", edits_are_made_in_order),
    ("facts and refs change together or not at all", facts_and_refs_change_together),
    ("a change of facts alone has a number", facts_alone_are_a_change),
];

fn set(facts: impl IntoIterator<Item = Fact>) -> Vec<FactEdit> {
    facts.into_iter().map(FactEdit::Set).collect()
}

fn facts_of_every_kind_are_kept(store: &dyn Store) {
    let sample = sample_facts();
    apply(store, write_facts(set(sample.iter().rev().cloned())));
    assert_eq!(everything(store).facts, sample, "facts of every kind are read back");
    for kind in FactKind::ALL {
        let found = facts(view(store).as_ref(), kind);
        assert!(found.iter().all(|fact| fact.kind() == kind), "a kind is read without the others");
        assert!(!found.is_empty(), "facts of every kind are kept");
    }
    for kind in FactKind::ALL {
        apply(store, write_facts([FactEdit::Clear(kind)]));
        let left: Vec<Fact> = sample.iter().filter(|fact| fact.kind() > kind).cloned().collect();
        assert_eq!(
            everything(store).facts,
            left,
            "`Clear` removes the facts of its kind and no others"
        );
    }
}

fn facts_are_replaced_and_removed(store: &dyn Store) {
    let [one, two] = KEYS.map(|key| Fact::Key(key.parse().expect("a key")));
    apply(store, write_facts(set([one.clone(), Fact::Loss(cid(1)), Fact::Loss(cid(2))])));
    apply(store, write_facts(set([two.clone(), Fact::Loss(cid(1))])));
    let view_now = view(store);
    let found = facts(view_now.as_ref(), FactKind::Key);
    assert_eq!(found, [two], "`Set` replaces the fact of the same kind and subject");
    let losses = facts(view_now.as_ref(), FactKind::Loss);
    assert_eq!(losses.len(), 2, "`Set` keeps facts about other subjects");
    drop(view_now);
    // Only the kind and the subject of the removed fact matter, not its value.
    apply(store, write_facts([FactEdit::Remove(one), FactEdit::Remove(Fact::Loss(cid(2)))]));
    assert_eq!(everything(store).facts, [Fact::Loss(cid(1))], "`Remove` removes one fact");
    let absent = [FactEdit::Remove(Fact::Loss(cid(9))), FactEdit::Clear(FactKind::Erasure)];
    apply(store, write_facts(absent));
    assert_eq!(
        everything(store).facts,
        [Fact::Loss(cid(1))],
        "the removal of an absent fact does nothing"
    );
}

fn edits_are_made_in_order(store: &dyn Store) {
    let loss = |n| Fact::Loss(cid(n));
    let edits = [
        FactEdit::Set(loss(1)),
        FactEdit::Clear(FactKind::Loss),
        FactEdit::Set(loss(2)),
        FactEdit::Set(loss(3)),
        FactEdit::Remove(loss(2)),
    ];
    apply(store, write_facts(edits));
    assert_eq!(everything(store).facts, [loss(3)], "edits of facts are made in order");
}

fn facts_and_refs_change_together(store: &dyn Store) {
    apply(store, write([1], [head(1)]).facts(set(sample_facts())));
    let before = everything(store);
    assert_eq!(before.facts, sample_facts(), "facts are written in the change that they belong to");
    let edits = [
        FactEdit::Clear(FactKind::Loss),
        FactEdit::Remove(Fact::Erasing),
        FactEdit::Set(Fact::Key(KEYS[0].parse().expect("a key"))),
        FactEdit::Set(Fact::Erasure(cid(9))),
    ];
    let wrong = edit("HEAD", Some(cid(2)), Expect::Absent);
    let error = refused(
        store,
        write([2], [wrong]).facts(edits.clone()),
        "an expectation that does not hold fails with `Moved`",
    );
    assert!(
        matches!(error, StoreError::Moved { .. }),
        "an expectation that does not hold fails with `Moved`: {error:?}"
    );
    assert_eq!(everything(store).facts, sample_facts(), "a failed change edits no fact");
    let missing = edit("side", Some(cid(3)), Expect::Any);
    refused(
        store,
        write([2], [head(2), missing]).facts(edits.clone()),
        "a ref cannot point to a missing block",
    );
    assert_eq!(everything(store).facts, sample_facts(), "a failed change edits no fact");
    assert!(!has(store, 2), "a failed change leaves no block");
    apply(store, write([2], [head(2)]).facts(edits));
    assert_ne!(everything(store).facts, sample_facts(), "facts change with the refs");
}

fn facts_alone_are_a_change(store: &dyn Store) {
    let first = apply(store, write_facts(set([Fact::Erasing]))).version;
    assert!(first.change > 0, "a change of facts alone has a number");
    assert_eq!(version(store), first, "`apply` returns the version after the change");
    assert!(everything(store).log.is_empty(), "a change of facts alone has no log row");
    let moved = apply(store, write([1], [head(1)])).version;
    assert!(moved.change > first.change, "the number of changes grows with each change");
    // An edit that does not change the fact has a number as well.
    let again = apply(store, write_facts(set([Fact::Erasing]))).version;
    assert!(again.change > moved.change, "a change of facts alone has a number");
    let seen =
        |version| write_facts([FactEdit::Clear(FactKind::Erasing)]).unless_changed_since(version);
    let error = refused(store, seen(moved), "a change of facts alone is detected");
    assert!(matches!(error, StoreError::Changed), "a change of facts alone is detected: {error:?}");
    let last = apply(store, seen(again)).version;
    let row = apply(store, write([2], [head(2)])).version;
    assert!(row.change > last.change, "a log row never has the number of a change before it");
    let newest = everything(store).log.last().map(|row| row.seq);
    assert_eq!(newest, Some(row.change), "the last row of a change has the number of the change");
}
