//! Checks of the operations for repairs, for stores that have them.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::conformance::support::{
    Check, apply, block, cid, cut, everything, has, head, is_cut, view, write,
};
use crate::store::{CheckDepth, Maintain, Replaced, Store};
use pds_core::data::cid::Cid;

pub(crate) const CHECKS: &[Check] = &[
    ("an intact store has no problems", a_sound_store_has_no_findings),
    ("a scan shows every block once", a_scan_shows_every_block),
    ("`replace` adds missing blocks and drops no intact block", replace_drops_nothing_sound),
    ("a `replace` that fails leaves nothing", a_replace_that_fails_leaves_nothing),
    ("blocks are counted", blocks_are_counted),
    ("a compaction changes nothing", a_compaction_changes_nothing),
];

fn assert_sound(maintain: &dyn Maintain) {
    for depth in [CheckDepth::Present, CheckDepth::Whole] {
        let found = maintain.check(depth).expect("an intact store can be checked");
        assert_eq!(found, Vec::<String>::new(), "an intact store has no problems: {depth:?}");
    }
}

fn a_sound_store_has_no_findings(store: &dyn Store) {
    let Some(maintain) = store.maintain() else { return };
    assert_sound(maintain);
    for n in 0..5 {
        apply(store, write(n * 3_000..(n + 1) * 3_000, [head(n * 3_000)]));
        assert_sound(maintain);
    }
    let sweep = crate::sweep::Sweep::new(view(store).version(), &|found| *found == cid(12_000));
    store.collect(sweep).expect("a sweep of the marked version succeeds");
    assert_sound(maintain);
}

fn a_scan_shows_every_block(store: &dyn Store) {
    let Some(maintain) = store.maintain() else { return };
    apply(store, write(0..100, [head(0)]));
    let mut shown = HashSet::new();
    let mut visit = |name: &[u8], bytes: &[u8]| {
        let cid = Cid::from_bytes(name).expect("a scan shows the CID as the name");
        assert!(cid.names(bytes), "a scan shows the bytes of a block with its name");
        assert!(
            store.get(&cid).expect("a stored block is read").is_some(),
            "a visitor may read the store"
        );
        assert!(
            !view(store).refs().expect("a view reads its refs").is_empty(),
            "a visitor may read the store"
        );
        assert!(shown.insert(cid), "a scan shows every block once");
        ControlFlow::Continue(())
    };
    maintain.scan_raw(&mut visit).expect("a scan of intact blocks");
    assert_eq!(shown, (0..100).map(cid).collect(), "a scan shows every block once");
    let mut calls = 0;
    let mut first = |_: &[u8], _: &[u8]| {
        calls += 1;
        ControlFlow::Break(())
    };
    maintain.scan_raw(&mut first).expect("stopping early is no error");
    assert_eq!(calls, 1, "a visitor that stops is not called again");
}

fn names(numbers: &[u32]) -> Vec<Vec<u8>> {
    numbers.iter().map(|n| cid(*n).as_bytes().to_vec()).collect()
}

fn replace_drops_nothing_sound(store: &dyn Store) {
    let Some(maintain) = store.maintain() else { return };
    apply(store, write([1, 2], [head(1)]));
    let before = everything(store);
    let mut stream = [2, 3, 3].map(|n| Ok(block(n))).into_iter();
    let mut listed = names(&[1, 2, 3, 4]);
    listed.push(b"no CID".to_vec());
    let replaced = maintain.replace(&mut stream, &listed).expect("`replace` adds blocks");
    assert_eq!(replaced, Replaced { added: 1, dropped: 0 }, "`replace` drops no intact block");
    assert!((1..4).all(|n| has(store, n)), "`replace` adds missing blocks and keeps intact ones");
    assert_eq!(
        maintain.block_count().expect("blocks are counted"),
        3,
        "`replace` adds missing blocks"
    );
    let after = everything(store);
    assert_eq!(
        (&after.refs, &after.log, &after.facts),
        (&before.refs, &before.log, &before.facts),
        "`replace` moves no ref and writes no log row"
    );
    let later = apply(store, write([5], [head(3)]));
    assert_eq!(later.new_blocks, 1, "a ref can point to a block that `replace` has added");
    assert_sound(maintain);
}

fn a_replace_that_fails_leaves_nothing(store: &dyn Store) {
    let Some(maintain) = store.maintain() else { return };
    apply(store, write([1, 2], [head(1)]));
    let before = everything(store);
    let mut stream = [Ok(block(4)), cut()].into_iter();
    let error = maintain.replace(&mut stream, &names(&[1, 2, 3])).expect_err("a stream that fails");
    assert!(is_cut(&error), "`replace` fails with the error of its stream: {error:?}");
    assert_eq!(everything(store), before, "a `replace` that fails leaves nothing");
    assert!(!has(store, 4), "a `replace` that fails leaves no block");
    let applied = apply(store, write([4, 5], [head(4)]));
    assert_eq!(applied.new_blocks, 2, "a store still works after a `replace` has failed");
}

fn blocks_are_counted(store: &dyn Store) {
    let Some(maintain) = store.maintain() else { return };
    let mut first = 0;
    for more in [2, 10, 10_000, 1] {
        apply(store, write(first..first + more, [head(first)]));
        first += more;
        let count = maintain.block_count().expect("blocks are counted");
        assert_eq!(count, u64::from(first), "every block is counted once");
    }
}

fn a_compaction_changes_nothing(store: &dyn Store) {
    let Some(maintain) = store.maintain() else { return };
    apply(store, write(0..2_000, [head(0)]));
    for n in 1..5 {
        apply(store, write([n + 5_000], [head(n)]));
    }
    let before = everything(store);
    let _ = maintain.compact().expect("a store without open views can be compacted");
    assert_eq!(everything(store), before, "a compaction changes nothing that can be read");
    assert!(
        (0..2_000).chain(5_001..5_005).all(|n| has(store, n)),
        "a compaction keeps every block"
    );
    apply(store, write([9_000], [head(9_000)]));
    assert!(has(store, 9_000), "a store still works after a compaction");
    assert_sound(maintain);
}
