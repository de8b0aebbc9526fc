//! The suite that every store must pass.
//!
//! ```
//! use pds::store::{MemoryStore, conformance};
//!
//! conformance::check(&|| Box::new(MemoryStore::default()));
//! ```

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::{Applied, BoxError, Expect, LogEntry, RefEdit, RefName, Store, StoreError, Sweep};
use crate::data::{Block, Cid, Codec, Sitting, get_all};

/// Runs the whole suite; each check gets an empty store of its own.
///
/// ```
/// use pds::store::{MemoryStore, conformance};
///
/// conformance::check(&|| Box::new(MemoryStore::default()));
/// ```
///
/// # Panics
///
/// When the store does something else than the trait says.
pub fn check(make: &dyn Fn() -> Box<dyn Store>) {
    let checks: [fn(&dyn Store); 18] = [
        an_empty_store_has_nothing,
        blocks_come_in_with_a_ref_and_are_read_back,
        many_blocks_are_read_in_the_order_of_the_question,
        blocks_that_are_there_are_not_counted_again,
        an_expectation_that_fails_changes_nothing,
        several_edits_are_made_together_or_not_at_all,
        a_ref_never_points_at_nothing,
        a_stream_that_fails_changes_nothing,
        a_stream_may_read_the_store_it_goes_into,
        what_is_written_in_a_sitting_is_read_in_it,
        every_move_is_logged,
        every_move_of_every_ref_is_read_oldest_first,
        a_sweep_keeps_what_lives_and_notices_changes,
        a_sweep_tells_the_log_anew_and_is_a_change,
        a_dry_run_tells_what_would_leave,
        meta_is_kept,
        every_block_is_shown_as_it_stands,
        mending_adds_what_is_missing_and_drops_nothing_that_is_sound,
    ];
    for check in checks {
        check(make().as_ref());
    }
}

fn an_empty_store_has_nothing(store: &dyn Store) {
    let refs = store.refs().expect("refs");
    assert!(refs.entries.is_empty());
    assert_eq!(store.block_count().expect("count"), 0);
    assert_eq!(store.get(&block(1).cid()).expect("get"), None);
    assert!(store.log(&RefName::head(), 10).expect("log").is_empty());
}

fn blocks_come_in_with_a_ref_and_are_read_back(store: &dyn Store) {
    let before = store.refs().expect("refs").version;
    let blocks = [block(1), block(2), Block::new(Codec::Raw, b"")];
    let done = add(store, &blocks, &[edit("HEAD", Some(blocks[0].cid()), Expect::Absent)]);
    assert_eq!(done.expect("applied").new_blocks, 3);
    for block in &blocks {
        assert_eq!(store.get(&block.cid()).expect("get").as_ref(), Some(block));
    }
    let refs = store.refs().expect("refs");
    assert_eq!(refs.entries, [(RefName::head(), blocks[0].cid())]);
    assert!(refs.version > before, "the version grows");
    assert!(matches!(add(store, &[block(3)], &[]), Err(StoreError::NoEdits)));
}

fn many_blocks_are_read_in_the_order_of_the_question(store: &dyn Store) {
    let blocks: Vec<Block> = (0..500).map(block).collect();
    let head = edit("HEAD", Some(blocks[0].cid()), Expect::Any);
    add(store, &blocks, &[head]).expect("applied");
    let absent = block(1_000).cid();
    let mut asked: Vec<Cid> = blocks.iter().rev().map(Block::cid).collect();
    asked.insert(250, absent);
    asked.push(blocks[7].cid());
    let answers: Vec<_> = get_all(store, &asked).map(|answer| answer.expect("get_many")).collect();
    assert_eq!(answers.len(), asked.len());
    for (cid, answer) in asked.iter().zip(answers) {
        assert_eq!(answer.map(|block| block.cid()), (*cid != absent).then_some(*cid));
    }
    assert!(!store.get_many(&asked).is_empty(), "one result at least");
    assert!(store.get_many(&[]).is_empty());
    assert_eq!(store.block_count().expect("count"), 500);
}

fn blocks_that_are_there_are_not_counted_again(store: &dyn Store) {
    let head = || edit("HEAD", Some(block(1).cid()), Expect::Any);
    add(store, &[block(1), block(2)], &[head()]).expect("applied");
    let done = add(store, &[block(2), block(3), block(3)], &[head()]).expect("applied");
    assert_eq!(done.new_blocks, 1);
    assert_eq!(store.block_count().expect("count"), 3);
}

fn an_expectation_that_fails_changes_nothing(store: &dyn Store) {
    let (one, two) = (block(1).cid(), block(2).cid());
    for wrong in [Expect::Present, Expect::Exactly(one)] {
        let done = add(store, &[block(1)], &[edit("HEAD", Some(one), wrong)]);
        assert!(matches!(done, Err(StoreError::Moved { found: None, .. })), "{wrong:?}");
    }
    add(store, &[block(1)], &[edit("HEAD", Some(one), Expect::Absent)]).expect("applied");
    let version = store.refs().expect("refs").version;
    for wrong in [Expect::Absent, Expect::Exactly(two)] {
        let done = add(store, &[block(2)], &[edit("HEAD", Some(two), wrong)]);
        match done {
            Err(StoreError::Moved { name, expected, found }) => {
                assert_eq!((name, expected, found), (RefName::head(), wrong, Some(one)));
            }
            other => panic!("{other:?}"),
        }
    }
    let refs = store.refs().expect("refs");
    assert_eq!((refs.version, refs.get(&RefName::head())), (version, Some(one)));
    assert_eq!(store.get_ref(&RefName::head()).expect("get_ref"), Some(one));
    assert_eq!(store.get_ref(&"absent".parse().expect("a name")).expect("get_ref"), None);
    assert_eq!(store.get(&two).expect("get"), None);
    assert_eq!(store.log(&RefName::head(), 10).expect("log").len(), 1);
    for right in [Expect::Present, Expect::Exactly(one), Expect::Any] {
        add(store, &[], &[edit("HEAD", Some(one), right)]).expect("applied");
    }
}

fn several_edits_are_made_together_or_not_at_all(store: &dyn Store) {
    let (one, two) = (block(1).cid(), block(2).cid());
    let edits = [edit("a", Some(one), Expect::Absent), edit("b", Some(two), Expect::Present)];
    assert!(add(store, &[block(1), block(2)], &edits).is_err());
    assert!(store.refs().expect("refs").entries.is_empty());
    let edits = [edit("b", Some(two), Expect::Absent), edit("a", Some(one), Expect::Absent)];
    add(store, &[block(1), block(2)], &edits).expect("applied");
    let names: Vec<_> = store.refs().expect("refs").entries.into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, [name("a"), name("b")], "by name");
    add(store, &[], &[edit("a", None, Expect::Exactly(one))]).expect("removed");
    assert_eq!(store.refs().expect("refs").entries, [(name("b"), two)]);
}

fn a_ref_never_points_at_nothing(store: &dyn Store) {
    let done = add(store, &[block(1)], &[edit("HEAD", Some(block(2).cid()), Expect::Any)]);
    assert!(matches!(done, Err(StoreError::TargetMissing { .. })));
    assert_eq!(store.block_count().expect("count"), 0);
}

fn a_stream_that_fails_changes_nothing(store: &dyn Store) {
    let mut stream = (0..5_000).map(block).map(Ok).chain([Err(BoxError::from("cut"))]);
    let head = edit("HEAD", Some(block(0).cid()), Expect::Any);
    let done = store.apply(&mut stream, &[head], "test");
    assert!(matches!(done, Err(StoreError::Blocks(error)) if error.to_string() == "cut"));
    assert_eq!(store.block_count().expect("count"), 0);
    assert!(store.refs().expect("refs").entries.is_empty());
}

fn a_stream_may_read_the_store_it_goes_into(store: &dyn Store) {
    let head = || edit("HEAD", Some(block(0).cid()), Expect::Any);
    add(store, &[block(0)], &[head()]).expect("applied");
    let mut stream = (0..5_000).map(|n| {
        assert!(store.get(&block(0).cid())?.is_some());
        Ok(block(n))
    });
    let done = store.apply(&mut stream, &[head()], "test").expect("applied");
    assert_eq!(done.new_blocks, 4_999);
}

fn what_is_written_in_a_sitting_is_read_in_it(store: &dyn Store) {
    let outer = Sitting::begin(store);
    for n in 0..3 {
        let inner = Sitting::begin(store);
        assert_eq!(store.get(&block(n).cid()).expect("get"), None);
        let head = edit("HEAD", Some(block(n).cid()), Expect::Any);
        let done = add(store, &[block(n)], &[head]).expect("applied");
        store.set_meta("n", Some(&n.to_string())).expect("set");
        assert_eq!(store.refs().expect("refs").version, done.version);
        assert_eq!(store.get(&block(n).cid()).expect("get"), Some(block(n)));
        assert_eq!(store.meta("n").expect("meta"), Some(n.to_string()));
        drop(inner);
        assert_eq!(store.block_count().expect("count"), u64::from(n) + 1);
    }
    drop(outer);
    store.compact().expect("nobody reads any more");
}

fn every_move_is_logged(store: &dyn Store) {
    let (one, two) = (block(1).cid(), block(2).cid());
    add(store, &[block(1)], &[edit("HEAD", Some(one), Expect::Any)]).expect("applied");
    add(store, &[], &[edit("side", Some(one), Expect::Any)]).expect("applied");
    add(store, &[block(2)], &[edit("HEAD", Some(two), Expect::Any)]).expect("applied");
    add(store, &[], &[edit("HEAD", None, Expect::Any)]).expect("applied");
    let log = store.log(&RefName::head(), 10).expect("log");
    let moves: Vec<_> = log.iter().map(|entry| (entry.before, entry.after)).collect();
    assert_eq!(moves, [(Some(two), None), (Some(one), Some(two)), (None, Some(one))]);
    assert!(log.windows(2).all(|pair| pair[0].seq > pair[1].seq));
    assert!(
        log.iter().all(|entry| entry.note == "test" && entry.at_micros > 1_700_000_000_000_000)
    );
    assert_eq!(store.log(&RefName::head(), 2).expect("log"), log[..2]);
    assert_eq!(store.log(&name("side"), 10).expect("log").len(), 1);
}

fn every_move_of_every_ref_is_read_oldest_first(store: &dyn Store) {
    assert!(store.moves().expect("moves").is_empty());
    let (one, two) = (block(1).cid(), block(2).cid());
    add(store, &[block(1)], &[edit("HEAD", Some(one), Expect::Any)]).expect("applied");
    let both = [edit("side", Some(two), Expect::Any), edit("HEAD", Some(two), Expect::Any)];
    add(store, &[block(2)], &both).expect("applied");
    add(store, &[], &[edit("side", None, Expect::Any)]).expect("applied");
    let moves = store.moves().expect("moves");
    let told: Vec<_> = moves.iter().map(|m| (m.name.as_str(), m.before, m.after)).collect();
    let expected = [
        ("HEAD", None, Some(one)),
        ("side", None, Some(two)),
        ("HEAD", Some(one), Some(two)),
        ("side", Some(two), None),
    ];
    assert_eq!(told, expected);
    assert!(moves.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert_eq!(moves.last().map(|last| last.seq), Some(store.refs().expect("refs").version));
    let mut of_head = store.log(&RefName::head(), 10).expect("log");
    of_head.reverse();
    assert_eq!(of_head, [moves[0].clone(), moves[2].clone()]);
}

fn a_sweep_keeps_what_lives_and_notices_changes(store: &dyn Store) {
    let head = || edit("HEAD", Some(block(0).cid()), Expect::Any);
    let blocks: Vec<Block> = (0..100).map(block).collect();
    add(store, &blocks, &[head()]).expect("applied");
    let version = store.refs().expect("refs").version;
    let alive: HashSet<Cid> = blocks.iter().step_by(3).map(Block::cid).collect();
    let live = |cid: &Cid| alive.contains(cid);
    add(store, &[], &[head()]).expect("applied");
    let early = Sweep {
        as_of: version,
        live: &live,
        absent: &|_| false,
        log: None,
        meta: &[],
        dry_run: false,
    };
    assert!(matches!(store.sweep(&early), Err(StoreError::Changed)));
    assert_eq!(store.block_count().expect("count"), 100);
    let version = store.refs().expect("refs").version;
    for n in [3, 5] {
        let came = |cid: &Cid| *cid == blocks[n].cid();
        let early = Sweep { as_of: version, absent: &came, ..early };
        assert!(matches!(store.sweep(&early), Err(StoreError::Changed)));
        assert_eq!(store.block_count().expect("count"), 100);
    }
    let swept = store.sweep(&Sweep { as_of: version, ..early }).expect("swept");
    let dead = blocks.iter().filter(|block| !live(&block.cid()));
    assert_eq!((swept.blocks, swept.version), (66, version));
    assert_eq!(swept.bytes, dead.map(|block| block.bytes().len() as u64).sum::<u64>());
    store.compact().expect("compacted");
    for block in &blocks {
        let there = store.get(&block.cid()).expect("get").is_some();
        assert_eq!(there, live(&block.cid()));
    }
}

fn a_sweep_tells_the_log_anew_and_is_a_change(store: &dyn Store) {
    for n in 0..4 {
        let head = edit("HEAD", Some(block(n).cid()), Expect::Any);
        add(store, &[block(n)], &[head]).expect("applied");
    }
    store.set_meta("goes", Some("x")).expect("set");
    let mut log = store.moves().expect("moves")[2..].to_vec();
    log[0] = LogEntry { before: None, note: "cut".to_owned(), ..log[0].clone() };
    let as_of = store.refs().expect("refs").version;
    let live = |cid: &Cid| *cid != block(0).cid();
    let meta = [("comes", Some("y")), ("goes", None)];
    let sweep = Sweep {
        as_of,
        live: &live,
        absent: &|_| false,
        log: Some(&log),
        meta: &meta,
        dry_run: false,
    };
    let nothing_left = Sweep { log: Some(&[]), ..sweep };
    assert!(matches!(store.sweep(&nothing_left), Err(StoreError::NoEdits)));
    assert_eq!((store.block_count().expect("count"), store.moves().expect("moves").len()), (4, 4));
    let swept = store.sweep(&sweep).expect("swept");
    assert_eq!((swept.blocks, store.block_count().expect("count")), (1, 3));
    let told = store.moves().expect("moves");
    assert_eq!((&told[0], told[1].seq), (&log[0], swept.version));
    assert_eq!(LogEntry { seq: log[1].seq, ..told[1].clone() }, log[1]);
    let refs = store.refs().expect("refs");
    assert!(refs.version == swept.version && refs.version > as_of, "it is a change");
    assert_eq!(refs.get(&RefName::head()), Some(block(3).cid()));
    assert!(matches!(store.sweep(&sweep), Err(StoreError::Changed)));
    assert_eq!(store.meta("comes").expect("meta").as_deref(), Some("y"));
    assert_eq!(store.meta("goes").expect("meta"), None);
    let head = edit("HEAD", Some(block(1).cid()), Expect::Any);
    assert!(add(store, &[], &[head]).expect("applied").version > refs.version);
}

fn a_dry_run_tells_what_would_leave(store: &dyn Store) {
    let head = edit("HEAD", Some(block(0).cid()), Expect::Any);
    add(store, &[block(0), block(1)], &[head]).expect("applied");
    let (refs, moves) = (store.refs().expect("refs"), store.moves().expect("moves"));
    let live = |cid: &Cid| *cid == block(0).cid();
    let (log, meta) = (Some(&moves[..]), [("key", Some("value"))]);
    let sweep = Sweep {
        as_of: refs.version,
        live: &live,
        absent: &|_| false,
        log,
        meta: &meta,
        dry_run: true,
    };
    let swept = store.sweep(&sweep).expect("weighed");
    let [stays, goes] = [0, 1].map(|n| block(n).bytes().len() as u64);
    assert_eq!((swept.blocks, swept.bytes, swept.kept_bytes), (1, goes, stays));
    assert_eq!(store.refs().expect("refs"), refs);
    assert_eq!(store.moves().expect("moves"), moves);
    assert_eq!(store.block_count().expect("count"), 2);
    assert_eq!(store.meta("key").expect("meta"), None);
    let late = Sweep { as_of: sweep.as_of + 1, ..sweep };
    assert!(matches!(store.sweep(&late), Err(StoreError::Changed)));
}

fn meta_is_kept(store: &dyn Store) {
    assert_eq!(store.check().expect("the back end answers"), Vec::<String>::new());
    assert_eq!(store.meta("key").expect("meta"), None);
    store.set_meta("key", Some("one")).expect("set");
    store.set_meta("key", Some("two")).expect("set");
    assert_eq!(store.meta("key").expect("meta").as_deref(), Some("two"));
    store.set_meta("key", None).expect("set");
    assert_eq!(store.meta("key").expect("meta"), None);
}

fn every_block_is_shown_as_it_stands(store: &dyn Store) {
    let blocks: Vec<Block> = (0..100).map(block).collect();
    add(store, &blocks, &[edit("HEAD", Some(block(0).cid()), Expect::Any)]).expect("applied");
    let mut shown = HashSet::new();
    let mut visit = |name: &[u8], bytes: &[u8]| {
        let cid = Cid::from_bytes(name).expect("a CID");
        assert!(cid.names(bytes) && store.get(&cid).expect("get").is_some());
        assert!(shown.insert(cid), "once");
        ControlFlow::Continue(())
    };
    store.scan(&mut visit).expect("scanned");
    assert_eq!(shown, blocks.iter().map(Block::cid).collect());
    let mut seen = 0;
    let mut first = |_: &[u8], _: &[u8]| {
        seen += 1;
        ControlFlow::Break(())
    };
    store.scan(&mut first).expect("scanned");
    assert_eq!(seen, 1);
}

fn mending_adds_what_is_missing_and_drops_nothing_that_is_sound(store: &dyn Store) {
    let head = edit("HEAD", Some(block(1).cid()), Expect::Any);
    add(store, &[block(1), block(2)], &[head]).expect("applied");
    let before = store.refs().expect("refs");
    let names: Vec<Vec<u8>> = [1, 2, 3].map(|n| block(n).cid().as_bytes().to_vec()).to_vec();
    let mut cut = [Ok(block(4)), Err(BoxError::from("cut"))].into_iter();
    assert!(matches!(store.mend(&mut cut, &names), Err(StoreError::Blocks(_))));
    assert_eq!(store.block_count().expect("count"), 2);
    let mended = store.mend(&mut [Ok(block(2)), Ok(block(3))].into_iter(), &names);
    let mended = mended.expect("mended");
    assert_eq!((mended.added, mended.dropped), (1, 0));
    assert_eq!(store.block_count().expect("count"), 3);
    assert_eq!(store.get(&block(3).cid()).expect("get"), Some(block(3)));
    assert_eq!(store.refs().expect("refs"), before, "no ref moves");
}

fn block(n: u32) -> Block {
    Block::new(Codec::Cbor, crate::data::Value::from(n).encode())
}

fn name(text: &str) -> RefName {
    text.parse().expect("a name")
}

fn edit(to: &str, target: Option<Cid>, expect: Expect) -> RefEdit {
    RefEdit { name: name(to), target, expect }
}

fn add(store: &dyn Store, blocks: &[Block], edits: &[RefEdit]) -> Result<Applied, StoreError> {
    store.apply(&mut blocks.iter().cloned().map(Ok), edits, "test")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_store_in_memory_conforms() {
        super::check(&|| Box::<crate::store::MemoryStore>::default());
    }
}
