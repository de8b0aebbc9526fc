//! Helpers of the checks: small blocks, edits, and the whole content of a store at one moment.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::change::{Applied, Change};
use crate::error::{BoxError, StoreError};
use crate::event::Event;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::{LogEntry, LogQuery};
use crate::ref_name::RefName;
use crate::refs::{Expect, RefEdit, Refs};
use crate::store::{Store, View};
use crate::version::Version;
use pds_core::data::block::{Block, Blocks, get_all};
use pds_core::data::cid::{Cid, Codec};
use pds_core::data::value::Value;

/// A check, and the rule that a store breaks if the check does not end.
pub(crate) type Check = (&'static str, fn(&dyn Store));

/// Returns a small block.
pub(crate) fn block(n: u32) -> Block {
    Block::new(Codec::Cbor, Value::from(n).encode())
}

/// Returns the CID of a small block.
pub(crate) fn cid(n: u32) -> Cid {
    block(n).cid()
}

pub(crate) fn name(text: &str) -> RefName {
    text.parse().expect("the suite uses names that are allowed")
}

pub(crate) fn edit(to: &str, target: Option<Cid>, expect: Expect) -> RefEdit {
    RefEdit { name: name(to), target, expect }
}

/// Returns an edit that points HEAD to a small block.
pub(crate) fn head(n: u32) -> RefEdit {
    edit("HEAD", Some(cid(n)), Expect::Any)
}

/// Returns a change that stores small blocks and moves refs.
pub(crate) fn write(
    blocks: impl IntoIterator<Item = u32, IntoIter: 'static>,
    edits: impl IntoIterator<Item = RefEdit>,
) -> Change<'static> {
    let blocks = blocks.into_iter().map(|n| Ok(block(n)));
    Change::new(Event::Write).blocks(blocks).edits(edits).message("test")
}

/// Returns a change of facts alone.
pub(crate) fn write_facts(edits: impl IntoIterator<Item = FactEdit>) -> Change<'static> {
    Change::new(Event::Set).facts(edits)
}

/// Applies a change that the store must accept.
pub(crate) fn apply(store: &dyn Store, change: Change<'_>) -> Applied {
    store.apply(change).expect("a change whose expectations hold is applied")
}

/// Applies a change that the store must refuse by a rule, and checks that nothing has changed.
pub(crate) fn refused(store: &dyn Store, change: Change<'_>, rule: &str) -> StoreError {
    let before = everything(store);
    let Err(error) = store.apply(change) else { panic!("{rule}: the change was made") };
    assert_eq!(everything(store), before, "a failed change leaves nothing");
    error
}

pub(crate) fn view(store: &dyn Store) -> Box<dyn View + '_> {
    store.view().expect("a store gives a view")
}

pub(crate) fn version(store: &dyn Store) -> Version {
    view(store).version()
}

pub(crate) fn refs(view: &dyn View) -> Refs {
    view.refs().expect("a view reads its refs")
}

pub(crate) fn rows(view: &dyn View, query: &LogQuery) -> Vec<LogEntry> {
    let mut rows = Vec::new();
    let read = view.log(query, &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    });
    read.expect("a view reads its log");
    rows
}

pub(crate) fn facts(view: &dyn View, kind: FactKind) -> Vec<Fact> {
    let mut found = Vec::new();
    let read = view.facts(kind, &mut |fact| {
        found.push(fact);
        ControlFlow::Continue(())
    });
    read.expect("a view reads its facts");
    sorted(found)
}

/// Sorts facts by kind and subject, because a view may read the facts of a kind in any order.
pub(crate) fn sorted(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort_by_key(|fact| (fact.kind(), fact.subject()));
    facts
}

/// The whole content of a store at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Everything {
    pub(crate) version: Version,
    pub(crate) refs: Refs,
    pub(crate) log: Vec<LogEntry>,
    pub(crate) facts: Vec<Fact>,
    /// The number of blocks, if the store can count them.
    pub(crate) blocks: Option<u64>,
}

/// Reads the whole content of a store. The blocks are only counted.
pub(crate) fn everything(store: &dyn Store) -> Everything {
    Everything { blocks: count(store), ..seen_in(view(store).as_ref()) }
}

/// Reads the whole content of a view, except its blocks.
pub(crate) fn seen_in(view: &dyn View) -> Everything {
    Everything {
        version: view.version(),
        refs: refs(view),
        log: rows(view, &LogQuery::oldest_first()),
        facts: FactKind::ALL.into_iter().flat_map(|kind| facts(view, kind)).collect(),
        blocks: None,
    }
}

/// Returns the number of blocks, or `None` if the store cannot count them.
pub(crate) fn count(store: &dyn Store) -> Option<u64> {
    let count = store.maintain()?.block_count();
    Some(count.expect("a store that has `Maintain` counts its blocks"))
}

/// Checks the number of blocks, if the store can count them.
pub(crate) fn assert_count(store: &dyn Store, expected: u64, rule: &str) {
    if let Some(count) = count(store) {
        assert_eq!(count, expected, "{rule}");
    }
}

/// Returns whether a small block can be read.
pub(crate) fn has(blocks: &dyn Blocks, n: u32) -> bool {
    let found =
        blocks.get(&cid(n)).expect("a block that is stored or missing is read without an error");
    found.is_some_and(|found| found == block(n))
}

/// Reads blocks with as many calls as the store needs.
pub(crate) fn get_each(blocks: &dyn Blocks, cids: &[Cid]) -> Vec<Option<Block>> {
    let read = get_all(blocks, cids).collect::<Result<_, _>>();
    read.expect("`get_many` reads blocks that are stored or missing")
}

/// Checks that the rows of each ref form a chain that ends with the commit that the ref points to.
pub(crate) fn assert_chain(store: &dyn Store) {
    let Everything { refs, log, .. } = everything(store);
    let mut ends: std::collections::BTreeMap<&RefName, Option<Cid>> = Default::default();
    let mut newest = 0;
    for row in &log {
        assert!(row.seq > newest, "the numbers of log rows ascend");
        newest = row.seq;
        let end = ends.insert(&row.name, row.after).flatten();
        assert_eq!(row.before, end, "each `before` is the `after` of the previous row of the ref");
    }
    let ends = ends.into_iter().filter_map(|(name, end)| Some((name.clone(), end?)));
    assert_eq!(ends.collect::<Refs>(), refs, "a ref points to the commit in its last log row");
}

/// An error of a stream, and the check that a store returns it.
pub(crate) fn cut<T>() -> Result<T, BoxError> {
    Err(BoxError::from("cut"))
}

pub(crate) fn is_cut(error: &StoreError) -> bool {
    matches!(error, StoreError::Blocks(error) if error.to_string() == "cut")
}

/// Two keys.
pub(crate) const KEYS: [&str; 2] = [
    "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
    "did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo",
];

/// Facts of every kind, sorted by kind and subject.
pub(crate) fn sample_facts() -> Vec<Fact> {
    let [old, new] = KEYS.map(|key| key.parse().expect("a key"));
    let until = "3jzfcijpj2z2a".parse().expect("a rev");
    sorted(vec![
        Fact::Account("did:web:example.com".parse().expect("a DID")),
        Fact::Key(new),
        Fact::EndedKey { until, key: old },
        Fact::NamedKey { commit: cid(1), key: KEYS[0].parse().expect("a key") },
        Fact::UnknownBefore(until),
        Fact::Loss(cid(1)),
        Fact::Loss(cid(2)),
        Fact::Erasure(cid(3)),
        Fact::Erasing,
        Fact::Forgotten(until),
        Fact::Purged(until),
    ])
}

/// Events of every kind.
pub(crate) fn sample_events() -> Vec<Event> {
    let [old, new] =
        KEYS.map(|key| key.parse::<pds_core::crypto::did_key::DidKey>().expect("a key"));
    vec![
        Event::Init,
        Event::Write,
        Event::Import { key: None, replaces: None, begins: false },
        Event::Import { key: Some(new.clone()), replaces: None, begins: true },
        Event::Import { key: Some(new.clone()), replaces: Some(old.clone()), begins: false },
        Event::Merge { other: cid(1), key: None },
        Event::Merge { other: cid(1), key: Some(new.clone()) },
        Event::Rotate { old, new },
        Event::Set,
        Event::Reset,
        Event::Remove,
        Event::Revert { commit: cid(2) },
        Event::Repair,
        Event::Forget,
    ]
}

/// Sets a flag when it is dropped, also by a panic: the threads that wait for it then end.
pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
