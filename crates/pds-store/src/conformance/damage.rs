//! The suite for stores whose bytes can be damaged: damage is reported at its place, and can be
//! repaired.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::conformance::support::{
    apply, block, cid, edit, everything, get_each, has, head, refused, view, write,
};
use crate::error::StoreError;
use crate::ref_name::RefName;
use crate::refs::Expect;
use crate::store::{Maintain, Replaced, Store};
use pds_core::data::block::{Block, Blocks, ReadError, get_all};
use pds_core::data::cid::Cid;

/// Checks that damaged blocks are detected, hide no other block, and are repaired by intact ones.
///
/// The store must be empty. `damage` replaces the stored bytes of a block by bytes that do not
/// match its CID, and keeps the name.
///
/// ```
/// # #[cfg(feature = "sqlite")] {
/// use pds::store::{SqliteStore, conformance};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("pds.db");
/// let store = SqliteStore::create(&path)?;
/// conformance::check_damage(&store, &|cid| {
///     let other = rusqlite::Connection::open(&path).expect("the file can be opened twice");
///     let sql = "UPDATE blocks SET bytes = x'00' WHERE cid = ?1";
///     other.execute(sql, [cid.as_bytes().as_slice()]).expect("the row is written");
/// });
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If the store breaks a rule of the traits. The message names the rule.
pub fn check_damage(store: &dyn Store, damage: &dyn Fn(&Cid)) {
    apply(store, write(0..COUNT, [head(0)]));
    damage(&cid(BAD));
    damage_is_reported_at_its_place(store);
    a_ref_cannot_point_to_damage(store);
    apply_heals(store, damage);
    if let Some(maintain) = store.maintain() {
        damage(&cid(BAD));
        a_scan_shows_damage(store, maintain);
        replace_heals_and_drops(store, maintain, damage);
    }
}

fn is_damaged(blocks: &dyn Blocks, n: u32) -> bool {
    matches!(blocks.get(&cid(n)), Err(ReadError::Damaged { cid: named, .. }) if named == cid(n))
}

fn is_sound(blocks: &dyn Blocks, n: u32) -> bool {
    matches!(blocks.get(&cid(n)), Ok(Some(found)) if found == block(n))
}

fn assert_others(store: &dyn Store, bad: &[u32]) {
    let is_good = (0..COUNT).filter(|n| !bad.contains(n)).all(|n| is_sound(store, n));
    assert!(is_good, "a damaged block hides no other block");
}

fn damage_is_reported_at_its_place(store: &dyn Store) {
    let view = view(store);
    let asked: Vec<Cid> = [0, 1, BAD, 2, 1_000, BAD, BAD + 1].map(cid).to_vec();
    for blocks in [store as &dyn Blocks, view.as_ref()] {
        for _ in 0..2 {
            assert!(
                is_damaged(blocks, BAD),
                "a block with other bytes is `Damaged`, neither missing nor returned"
            );
        }
        let answers: Vec<_> = get_all(blocks, &asked).collect();
        assert_eq!(
            answers.len(),
            asked.len(),
            "`get_many` returns a result for every CID next to damage"
        );
        for (asked, answer) in asked.iter().zip(answers) {
            match answer {
                Err(ReadError::Damaged { cid: named, .. }) => {
                    assert_eq!(
                        (named, *asked),
                        (cid(BAD), cid(BAD)),
                        "`get_many` reports damage at its place"
                    );
                }
                Err(error) => panic!("`get_many` reports damage as `Damaged`: {error:?}"),
                Ok(found) => {
                    assert_ne!(*asked, cid(BAD), "`get_many` reports damage at its place");
                    assert_eq!(
                        found.map(|found| found.cid()),
                        (*asked != cid(1_000)).then_some(*asked),
                        "a damaged block hides no other block"
                    );
                }
            }
        }
    }
    drop(view);
    assert_others(store, &[BAD]);
    let sound: Vec<Cid> = (0..COUNT).filter(|n| *n != BAD).map(cid).collect();
    assert!(
        get_each(store, &sound).iter().all(Option::is_some),
        "a damaged block hides no other block"
    );
}

fn a_ref_cannot_point_to_damage(store: &dyn Store) {
    let error = refused(
        store,
        write([COUNT], [edit("side", Some(cid(BAD)), Expect::Any)]),
        "a ref cannot point to a damaged block",
    );
    let is_missing =
        matches!(error, StoreError::TargetMissing { target, .. } if target == cid(BAD));
    assert!(is_missing, "a ref cannot point to a damaged block: {error:?}");
    assert!(!has(store, COUNT), "a failed change leaves no block");
    apply(store, write([], [head(1)]));
}

fn apply_heals(store: &dyn Store, damage: &dyn Fn(&Cid)) {
    // A back end that reads ahead may have read the damaged bytes, wherever it starts.
    for start in 0..BAD - 5 {
        assert!((start..BAD).all(|n| is_sound(store, n)), "a damaged block hides no other block");
        apply(store, write([BAD], [head(1)]));
        let rule = "a repaired block is read back, even if damaged bytes were read before";
        assert!(is_sound(store, BAD), "{rule}");
        damage(&cid(BAD));
    }
    let before = everything(store).blocks;
    let applied = apply(store, write([BAD, 3], [edit("side", Some(cid(BAD)), Expect::Absent)]));
    assert_eq!(applied.new_blocks, 1, "a repaired block counts as new");
    assert!(is_sound(store, BAD), "the intact block replaces the damaged one");
    assert!(is_sound(view(store).as_ref(), BAD), "the intact block replaces the damaged one");
    assert_eq!(everything(store).blocks, before, "a repair stores no block twice");
    assert_others(store, &[]);
    assert_eq!(
        everything(store).refs.get(&"side".parse().expect("a name")),
        Some(cid(BAD)),
        "a ref can point to a repaired block"
    );
    // A failed change repairs nothing, and the next change does.
    damage(&cid(BAD + 1));
    refused(
        store,
        write([BAD + 1], [edit("HEAD", Some(cid(0)), Expect::Absent)]),
        "an expectation that does not hold refuses the change",
    );
    assert!(is_damaged(store, BAD + 1), "a failed change leaves nothing, and repairs nothing");
    apply(store, write([BAD + 1], [head(BAD + 1)]));
    assert!(is_sound(store, BAD + 1), "the intact block replaces the damaged one");
}

fn a_scan_shows_damage(store: &dyn Store, maintain: &dyn Maintain) {
    let mut shown = HashMap::new();
    let mut visit = |name: &[u8], bytes: &[u8]| {
        let cid = Cid::from_bytes(name).expect("a scan shows the CID as the name");
        let is_first = shown.insert(cid, cid.names(bytes)).is_none();
        assert!(is_first, "a scan shows every block once");
        ControlFlow::Continue(())
    };
    maintain.scan_raw(&mut visit).expect("a scan shows damaged bytes without an error");
    let damaged: Vec<Cid> =
        shown.iter().filter(|(_, sound)| !**sound).map(|(cid, _)| *cid).collect();
    assert_eq!(damaged, [cid(BAD)], "a scan shows the stored bytes, including damaged ones");
    assert_eq!(Some(shown.len() as u64), everything(store).blocks, "a scan shows every block");
}

fn replace_heals_and_drops(store: &dyn Store, maintain: &dyn Maintain, damage: &dyn Fn(&Cid)) {
    let bad = [BAD, BAD + 2, BAD + 3];
    bad[1..].iter().for_each(|n| damage(&cid(*n)));
    let listed: Vec<Vec<u8>> =
        [BAD, BAD + 2, 1, 1_000].map(|n| cid(n).as_bytes().to_vec()).to_vec();
    let replace = |blocks: &[Block]| {
        let mut stream = blocks.iter().cloned().map(Ok);
        maintain.replace(&mut stream, &listed).expect("`replace` of damaged blocks")
    };
    let before = everything(store);
    let replaced = replace(&[block(BAD), block(1)]);
    assert_eq!(
        replaced,
        Replaced { added: 1, dropped: 2 },
        "`replace` counts the damaged blocks that it drops and the blocks that it adds"
    );
    assert!(is_sound(store, BAD), "`replace` repairs a damaged block");
    assert!(!has(store, BAD + 2), "`replace` drops a damaged block with a given name");
    assert!(is_damaged(store, BAD + 3), "`replace` drops only blocks with the given names");
    let after = everything(store);
    assert_eq!(
        (&after.refs, &after.log, &after.facts),
        (&before.refs, &before.log, &before.facts),
        "`replace` moves no ref and writes no log row"
    );
    let replaced = replace(&[block(BAD + 2), block(BAD + 3)]);
    assert_eq!(
        replaced,
        Replaced { added: 2, dropped: 0 },
        "`replace` repairs a damaged block if its intact block is added"
    );
    assert_others(store, &[]);
    assert_eq!(
        everything(store).refs.get(&RefName::head()),
        Some(cid(BAD + 1)),
        "`replace` moves no ref"
    );
}

const COUNT: u32 = 200;

/// The block that is damaged first.
const BAD: u32 = 20;
