//! The suite for stores that several processes use, each with its own handle.

use crate::conformance::race::{By, race};
use crate::conformance::support::{
    apply, assert_chain, cid, edit, everything, get_each, has, head, refs, refused, seen_in,
    version, view, write, write_facts,
};
use crate::conformance::views::{moments_next_to_a_writer, step};
use crate::error::StoreError;
use crate::fact::{Fact, FactEdit};
use crate::log::LogEntry;
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::Store;
use crate::sweep::{Fate, Sweep};
use pds_core::data::cid::Cid;

/// Checks that several handles to one store see each other's changes, and that of their concurrent
/// writers one wins.
///
/// `open` opens another handle to the store with a name. It creates an empty store on the first
/// call. The names consist of letters.
///
/// ```
/// # #[cfg(feature = "sqlite")] {
/// use pds::store::{SqliteStore, conformance};
///
/// let dir = tempfile::tempdir()?;
/// conformance::check_shared(&|name| {
///     let path = dir.path().join(name);
///     let store = if path.exists() { SqliteStore::open(&path) } else { SqliteStore::create(&path) };
///     Box::new(store.expect("the directory can be written"))
/// });
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// If the store breaks a rule of the traits. The message names the rule.
pub fn check_shared(open: &dyn Fn(&str) -> Box<dyn Store>) {
    let pair = |name| [open(name), open(name)];
    let [one, other] = pair("changes");
    changes_are_seen(one.as_ref(), other.as_ref());
    let [one, other] = pair("sweeps");
    sweeps_are_noticed(one.as_ref(), other.as_ref());
    let [one, other] = pair("ahead");
    swept_blocks_are_missing(one.as_ref(), other.as_ref());
    let [one, other] = pair("moments");
    moments_next_to_a_writer(one.as_ref(), &[other.as_ref(), other.as_ref(), one.as_ref()]);
    for (name, by) in [("refs", By::Ref), ("versions", By::Version)] {
        let handles = [open(name), open(name), open(name), open(name)];
        race(&handles.each_ref().map(|handle| handle.as_ref()), 8, 8, by);
    }
}

fn changes_are_seen(one: &dyn Store, other: &dyn Store) {
    for n in (1..40).step_by(2) {
        for (n, writer, reader) in [(n, one, other), (n + 1, other, one)] {
            let old = view(reader);
            let seen = seen_in(old.as_ref());
            let done = step(writer, n);
            assert_eq!(seen_in(old.as_ref()), seen, "a view is one moment next to another handle");
            let new = view(reader);
            assert_eq!(new.version(), done, "a change is seen by the next view of another handle");
            assert_eq!(
                refs(new.as_ref()).get(&RefName::head()),
                Some(cid(n)),
                "a change is seen by the next view of another handle"
            );
            assert!(
                has(new.as_ref(), n) && has(reader, n),
                "blocks are read through another handle"
            );
            let stale =
                write_facts([FactEdit::Set(Fact::Erasing)]).unless_changed_since(seen.version);
            let error =
                refused(reader, stale, "`change_seen` counts the changes of another handle");
            assert!(
                matches!(error, StoreError::Changed),
                "`change_seen` counts the changes of another handle: {error:?}"
            );
        }
        // More blocks than a back end leaves out of its index, and the same blocks through both
        // handles.
        let first = n * 10_000;
        assert_eq!(
            apply(one, write(first..first + 500, [head(first)])).new_blocks,
            500,
            "missing blocks are new"
        );
        assert_eq!(
            apply(other, write(first..first + 500, [head(first)])).new_blocks,
            0,
            "a block that another handle has stored is not new"
        );
    }
    let all: Vec<Cid> = (10_000..10_500).map(cid).collect();
    for handle in [one, other] {
        assert!(
            get_each(handle, &all).iter().all(Option::is_some),
            "blocks are read through another handle"
        );
    }
    let large = apply(one, write(1_000_000..1_020_000, [head(1_000_000)]));
    assert_eq!(
        version(other),
        large.version,
        "a change is seen by the next view of another handle"
    );
    assert!(
        (1_000_000..1_020_000).all(|n| has(other, n)),
        "blocks are read through another handle"
    );
    assert_eq!(everything(one), everything(other), "handles to one store agree");
}

fn sweeps_are_noticed(one: &dyn Store, other: &dyn Store) {
    apply(one, write(0..300, [head(0)]));
    apply(other, write(300..600, [head(300)]));
    for round in 0..3 {
        let all = || 0..600;
        // Both handles know every block now.
        assert!(
            all().all(|n| has(one, n) && has(other, n)),
            "blocks are read through another handle"
        );
        let seen = version(one);
        let live = |found: &Cid| *found == cid(300);
        let mut fate = |row: &LogEntry| match row.after == Some(cid(300)) {
            true => Fate::Stays,
            false => Fate::Goes,
        };
        let (sweeper, reader) = if round == 1 { (other, one) } else { (one, other) };
        let swept = sweeper.collect(Sweep::new(seen, &live).log(&mut fate));
        let swept = swept.expect("a sweep of the marked version succeeds");
        assert_eq!(
            version(reader),
            swept.version,
            "a sweep is seen by the next view of another handle"
        );
        assert_eq!(everything(one), everything(other), "handles to one store agree");
        for n in all().filter(|n| *n != 300) {
            assert!(
                !has(view(reader).as_ref(), n),
                "a block that another handle has swept is missing"
            );
            assert!(!has(reader, n), "a block that another handle has swept is missing");
        }
        let rule = "a ref cannot point to a block that another handle has swept";
        let error = refused(reader, write([], [edit("side", Some(cid(7)), Expect::Any)]), rule);
        assert!(matches!(error, StoreError::TargetMissing { .. }), "{rule}: {error:?}");
        let rule = "`sweep_seen` counts the sweeps of another handle";
        let error = refused(reader, write([], [head(300)]).unless_swept_since(seen), rule);
        assert!(matches!(error, StoreError::Changed), "{rule}: {error:?}");
        let again = apply(reader, write(all(), [head(300)]));
        assert_eq!(
            again.new_blocks, 599,
            "a block that another handle has swept is new when it is stored again"
        );
        assert_chain(sweeper);
    }
}

fn swept_blocks_are_missing(one: &dyn Store, other: &dyn Store) {
    // A back end that reads ahead may have read swept blocks, wherever it stops.
    for stop in 0..20 {
        apply(one, write(0..60, [head(0)]));
        assert!((0..stop).all(|n| has(other, n)), "blocks are read through another handle");
        let swept = one.collect(Sweep::new(version(one), &|found| *found == cid(0)));
        swept.expect("a sweep of the marked version succeeds");
        let now = view(other);
        for n in 1..60 {
            assert!(
                !has(now.as_ref(), n),
                "a block that another handle has swept is missing in later views"
            );
        }
    }
}
