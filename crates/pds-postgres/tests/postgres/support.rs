//! Helpers of the tests: accounts, small blocks and changes, and the whole content of a store.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};

use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::{Cid, Codec};
use pds_core::data::value::Value;
use pds_core::syntax::did::Did;
use pds_postgres::store::PostgresStore;
use pds_store::change::Change;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit, Refs};
use pds_store::store::{CheckDepth, Maintain, Store};
use pds_store::version::Version;

/// Returns an account that no other test uses.
pub(crate) fn new_did() -> Did {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    named_did(&format!("n{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn named_did(name: &str) -> Did {
    format!("did:web:{name}.example.com").parse().unwrap()
}

pub(crate) fn block(n: u32) -> Block {
    Block::new(Codec::Cbor, Value::from(n).encode())
}

pub(crate) fn cid(n: u32) -> Cid {
    block(n).cid()
}

pub(crate) fn edit(name: &str, target: Option<u32>, expect: Expect) -> RefEdit {
    RefEdit { name: name.parse().unwrap(), target: target.map(cid), expect }
}

/// The number of the second block of a step.
const MORE: u32 = 1_000_000;

/// Returns a change that stores two blocks and a fact, points HEAD from the last step to one of
/// them, and has its number as the message. Steps are counted from 1.
pub(crate) fn step(n: u32) -> Change<'static> {
    let expect = if n == 1 { Expect::Absent } else { Expect::Exactly(cid(n - 1)) };
    let blocks = [n, n + MORE].map(|n| Ok(block(n)));
    let change = Change::new(Event::Write).blocks(blocks).edit(edit("HEAD", Some(n), expect));
    change.fact(FactEdit::Set(Fact::Loss(cid(n)))).message(n.to_string())
}

/// As [`step`], with blocks that do not fit one statement: a transaction stores them. They are the same
/// in each step.
pub(crate) fn long_step(n: u32) -> Change<'static> {
    let mut change = step(n);
    let common = (0..COMMON).map(|n| Ok(block(2 * MORE + n)));
    change.blocks = Box::new(change.blocks.chain(common));
    change
}

/// The number of blocks of a long step that do not belong to it alone.
const COMMON: u32 = 2_500;

/// As [`step`], with an edit of a second ref, which needs a read before the write.
pub(crate) fn wide_step(n: u32) -> Change<'static> {
    step(n).edit(edit("side", Some(n), Expect::Any))
}

/// The whole content of a store. The times of the log rows are left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) version: Version,
    pub(crate) refs: Refs,
    pub(crate) log: Vec<LogEntry>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) blocks: u64,
}

pub(crate) fn content(store: &PostgresStore) -> Content {
    let view = store.view().unwrap();
    let (mut log, mut facts) = (Vec::new(), Vec::new());
    view.log(&LogQuery::oldest_first(), &mut |row| {
        log.push(LogEntry { at_micros: 0, ..row });
        ControlFlow::Continue(())
    })
    .unwrap();
    for kind in FactKind::ALL {
        view.facts(kind, &mut |fact| {
            facts.push(fact);
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    facts.sort_by_key(|fact| (fact.kind(), fact.subject()));
    let (version, refs) = (view.version(), view.refs().unwrap());
    Content { version, refs, log, facts, blocks: store.block_count().unwrap() }
}

/// Checks that a store consists of the steps up to some number, each complete, and returns it. Every
/// third step is a long one.
pub(crate) fn assert_steps(store: &PostgresStore) -> u32 {
    let found = content(store);
    assert_eq!(store.check(CheckDepth::Whole).unwrap(), [""; 0]);
    let of_head = found.log.iter().filter(|row| row.name == RefName::head());
    let mut last = 0;
    for row in of_head {
        let before = (last > 0).then(|| cid(last));
        last += 1;
        assert_eq!((row.before, row.after), (before, Some(cid(last))), "the log is one chain");
        assert_eq!(row.message, last.to_string());
    }
    let head = found.refs.get(&RefName::head());
    assert_eq!(head, (last > 0).then(|| cid(last)), "HEAD is the commit of the last row");
    let blocks = (1..=last).flat_map(|n| [cid(n), cid(n + MORE)]);
    for cid in blocks {
        assert!(store.get(&cid).unwrap().is_some(), "every block of a step is stored");
    }
    let common = if last < 3 { 0 } else { COMMON };
    assert_eq!(found.blocks, u64::from(2 * last + common), "no other block is stored");
    let mut facts: Vec<Fact> = (1..=last).map(|n| Fact::Loss(cid(n))).collect();
    facts.sort_by_key(|fact| (fact.kind(), fact.subject()));
    assert_eq!(found.facts, facts, "every fact of a step is stored, and no other");
    last
}
