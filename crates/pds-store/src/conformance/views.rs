//! Checks of views: each shows one moment, and views do not wait for each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::conformance::support::{
    Check, Everything, SetOnDrop, apply, block, cid, count, edit, facts, get_each, has, head, refs,
    rows, seen_in, version, view, write,
};
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::LogQuery;
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::{Store, View};
use crate::sweep::Sweep;
use crate::version::Version;
use pds_core::data::block::ReadError;

pub(crate) const CHECKS: &[Check] = &[
    ("a view is one moment", a_view_is_one_moment),
    ("views do not depend on each other", views_do_not_depend_on_each_other),
    ("a change is seen by the next view", a_view_sees_what_was_written_before),
    ("a view that is open does not stop a sweep", a_view_may_outlast_a_sweep),
    ("threads may share a view", threads_may_share_a_view),
    ("no reader waits for a writer", a_reader_does_not_wait_for_a_writer),
    ("a view is one moment next to a writer", views_are_moments_next_to_a_writer),
];

/// Returns a fact with a number. A store has one fact of this kind.
fn account(n: u32) -> Fact {
    Fact::Account(format!("did:web:{n}.example.com").parse().expect("a DID"))
}

/// Applies a change that moves two refs and a fact to a number.
pub(crate) fn step(store: &dyn Store, n: u32) -> Version {
    let edits = [head(n), edit("side", Some(cid(n)), Expect::Any)];
    apply(store, write([n, n + 100_000], edits).fact(FactEdit::Set(account(n)))).version
}

fn a_view_is_one_moment(store: &dyn Store) {
    let before = view(store);
    let empty = seen_in(before.as_ref());
    step(store, 1);
    assert_eq!(
        seen_in(before.as_ref()),
        empty,
        "a view is one moment: a change on the same thread is not seen"
    );
    let first = view(store);
    let one = seen_in(first.as_ref());
    for n in 2..20 {
        step(store, n);
        assert_eq!(seen_in(first.as_ref()), one, "a view is one moment");
        assert!(has(first.as_ref(), 1), "the target of a ref is readable in its view");
    }
    apply(store, write([], [edit("side", None, Expect::Present)]));
    assert_eq!(
        seen_in(first.as_ref()),
        one,
        "a view is one moment: the removal of a ref is not seen"
    );
    assert_eq!(seen_in(before.as_ref()), empty, "a view is one moment, however long it is open");
    assert_eq!(one.refs.get(&RefName::head()), Some(cid(1)), "a view reads refs of its moment");
}

fn views_do_not_depend_on_each_other(store: &dyn Store) {
    let mut open: Vec<(Box<dyn View + '_>, Everything)> = Vec::new();
    for n in 1..20 {
        step(store, n);
        for _ in 0..2 {
            let view = view(store);
            let seen = seen_in(view.as_ref());
            assert_eq!(
                seen.refs.get(&RefName::head()),
                Some(cid(n)),
                "a view shows the changes before it"
            );
            open.push((view, seen));
        }
    }
    // Not in the order in which they were opened.
    while !open.is_empty() {
        drop(open.remove(open.len() / 2));
        for (view, seen) in &open {
            assert_eq!(seen_in(view.as_ref()), *seen, "views do not depend on each other");
        }
    }
}

fn a_view_sees_what_was_written_before(store: &dyn Store) {
    let outer = view(store);
    for n in 1..4 {
        assert!(!has(store, n), "a missing block is `None`");
        let done = step(store, n);
        let inner = view(store);
        assert_eq!(inner.version(), done, "a change is seen by the next view");
        assert!(has(inner.as_ref(), n) && has(store, n), "a change is seen by the next read");
        assert_eq!(
            facts(inner.as_ref(), FactKind::Account),
            [account(n)],
            "a change is seen by the next view"
        );
        drop(inner);
        assert!(
            count(store).is_none_or(|count| count == u64::from(n) * 2),
            "every block is counted"
        );
    }
    drop(outer);
    if let Some(maintain) = store.maintain() {
        let _ = maintain.compact().expect("a store without open views can be compacted");
    }
}

fn a_view_may_outlast_a_sweep(store: &dyn Store) {
    apply(store, write(0..50, [head(0)]));
    let old = view(store);
    let (seen, pointed) = (old.version(), refs(old.as_ref()));
    let swept = store.collect(Sweep::new(seen, &|found| *found == cid(0)));
    let swept = swept.expect("a view that is open does not stop a sweep");
    assert_eq!(old.version(), seen, "a view keeps its version during a sweep");
    assert_eq!(refs(old.as_ref()), pointed, "a view keeps its refs during a sweep");
    assert!(has(old.as_ref(), 0), "a view reads blocks that were not swept");
    for n in 1..50 {
        // A back end may have deleted the block under the view. The version shows that, so it is
        // not damage.
        match old.get(&cid(n)) {
            Ok(_) | Err(ReadError::Swept { .. }) => {}
            Err(error) => panic!("a swept block is missing, not damaged: {error:?}"),
        }
    }
    assert_ne!(version(store).sweep, seen.sweep, "a reader detects a sweep by its number");
    drop(old);
    assert_eq!(version(store), swept.version, "a view begun after a sweep has its version");
    assert!((1..50).all(|n| !has(store, n)), "a swept block is missing");
    assert!(
        (1..50).all(|n| !has(view(store).as_ref(), n)),
        "a swept block is missing in later views"
    );
}

fn threads_may_share_a_view(store: &dyn Store) {
    apply(store, write(0..300, [head(0)]));
    let view = view(store);
    thread::scope(|scope| {
        for first in 0..4 {
            let view = view.as_ref();
            scope.spawn(move || {
                for n in (first..300).step_by(4) {
                    assert!(has(view, n), "threads may share a view");
                    assert_eq!(
                        refs(view).get(&RefName::head()),
                        Some(cid(0)),
                        "threads may share a view"
                    );
                }
            });
        }
        for n in 1..10 {
            step(store, n);
        }
    });
    assert_eq!(refs(view.as_ref()).get(&RefName::head()), Some(cid(0)), "a view is one moment");
}

/// Reads one moment next to a writer, and checks that its parts are consistent.
fn assert_moment(store: &dyn Store, least: Version) -> Version {
    let view = view(store);
    let now = view.version();
    assert!(now.change >= least.change, "a later view is never older");
    let known = refs(view.as_ref());
    let target =
        known.get(&RefName::head()).expect("a view is one moment: HEAD exists in every one");
    assert_eq!(
        known.get(&"side".parse().expect("a name")),
        Some(target),
        "a view is one moment: refs of one change"
    );
    assert_eq!(
        rows(view.as_ref(), &LogQuery::newest_first().starting_at(now.change))[0].seq,
        now.change,
        "a view is one moment: version and log"
    );
    let mut newest = None;
    let read = view.log(&LogQuery::newest_first().of(RefName::head()), &mut |row| {
        newest = row.after;
        std::ops::ControlFlow::Break(())
    });
    read.expect("a view reads its log");
    assert_eq!(newest, Some(target), "a view is one moment: refs and log of one version");
    let fact = facts(view.as_ref(), FactKind::Account);
    let [Fact::Account(did)] = &fact[..] else {
        panic!("a view is one moment: one fact, not {fact:?}")
    };
    let number = did.as_str().split([':', '.']).nth(2).and_then(|number| number.parse().ok());
    let n = number.expect("a fact is read back with its data");
    assert_eq!(cid(n), target, "a view is one moment: refs and facts of one version");
    assert!(has(view.as_ref(), n), "the target of a ref is readable in its view");
    let found = get_each(view.as_ref(), &[cid(n + 100_000), target]);
    assert!(
        found.iter().all(Option::is_some),
        "blocks of a change are readable in a view that has its refs"
    );
    assert!(has(store, n), "a stored block is readable by every thread");
    assert_eq!(refs(view.as_ref()), known, "a view is one moment: refs that are read again");
    now
}

fn views_are_moments_next_to_a_writer(store: &dyn Store) {
    moments_next_to_a_writer(store, &[store; 3]);
}

/// Lets readers check moments, each through a handle to a store, while another handle writes to it.
pub(crate) fn moments_next_to_a_writer(writer: &dyn Store, readers: &[&dyn Store]) {
    step(writer, 0);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for store in readers {
            scope.spawn(|| {
                let mut least = assert_moment(*store, Version::default());
                while !is_over.load(Ordering::Relaxed) {
                    least = assert_moment(*store, least);
                }
            });
        }
        scope.spawn(|| {
            // The readers end even if a change panics.
            let _end = SetOnDrop(&is_over);
            for n in 1..150 {
                step(writer, n);
                if n % 50 == 0 {
                    // A large change next to small ones.
                    let first = 200_000 + 10_000 * n;
                    let edits = [head(n), edit("side", Some(cid(n)), Expect::Any)];
                    apply(writer, write(first..first + 9_000, edits));
                }
            }
        });
    });
    for store in readers {
        assert_moment(*store, Version::default());
    }
}

fn a_reader_does_not_wait_for_a_writer(store: &dyn Store) {
    let before = step(store, 1);
    let open = view(store);
    let stream = (100..200).map(|n| {
        if n == 150 {
            // A thread that waits for the change would wait forever, because the change waits for
            // the thread.
            let read = thread::scope(|scope| scope.spawn(|| assert_moment(store, before)).join());
            assert_eq!(
                read.ok(),
                Some(before),
                "an unfinished change is not seen by another thread"
            );
            let read = thread::scope(|scope| scope.spawn(|| seen_in(open.as_ref()).version).join());
            assert_eq!(
                read.ok(),
                Some(before),
                "a view is one moment next to an unfinished change"
            );
        }
        Ok(block(n))
    });
    apply(store, write([], [head(150)]).blocks(stream));
    assert_eq!(open.version(), before, "a view is one moment");
}
