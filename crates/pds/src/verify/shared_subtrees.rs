//! The check of many trees that share subtrees: each shared part is read once.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::error::Result;
use crate::model::finding::Finding;
use crate::verify::check::Check;
use crate::verify::indexed::follow;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::base_tree::BaseTree;
use pds_core::mst::seen::Seen;
use pds_core::mst::walk::walk;

/// The subtrees that were checked, in all trees so far.
pub(crate) struct Trees<'b> {
    blocks: &'b dyn Blocks,
    subtrees: Seen,
    /// A keyed hash of the path and CID of each checked record. It takes eight bytes per record, and an attacker
    /// cannot cause collisions.
    records: HashSet<u64>,
    /// The records since the last call of [`begin`](Self::begin).
    since: Option<Vec<u64>>,
    hasher: RandomState,
}

impl<'b> Trees<'b> {
    pub(crate) fn of(blocks: &'b dyn Blocks) -> Self {
        let (subtrees, records) = (Seen::default(), HashSet::new());
        Self { blocks, subtrees, records, since: None, hasher: RandomState::new() }
    }

    /// Starts a part that can be undone.
    pub(crate) fn begin(&mut self) {
        self.subtrees.begin();
        self.since = Some(Vec::new());
    }

    /// Forgets what was checked since the last [`begin`](Self::begin): a fault there must be found again.
    pub(crate) fn undo(&mut self) {
        self.subtrees.undo();
        for record in self.since.take().into_iter().flatten() {
            self.records.remove(&record);
        }
    }

    /// Checks a tree, except for parts that were already checked in another tree.
    pub(crate) fn check(
        &mut self,
        root: Cid,
        check: &mut Check<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<()> {
        self.check_over(root, None, check, found)
    }

    /// Checks a tree as [`check`](Self::check) does, except for parts that a base has in the same place.
    pub(crate) fn check_over(
        &mut self,
        root: Cid,
        base: Option<BaseTree<'_>>,
        check: &mut Check<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<()> {
        let Self { blocks, subtrees, records, since, hasher } = self;
        let walk = walk(*blocks, root).over(base).passing_over(subtrees);
        let (many, mut waiting) = (blocks.batch(), Vec::new());
        follow(walk, check, found, &mut |check, key, cid| {
            let record = hasher.hash_one((&key, cid));
            if records.insert(record) {
                since.iter_mut().for_each(|since| since.push(record));
                waiting.push((key, cid));
                if waiting.len() >= many {
                    check.read_records(std::mem::take(&mut waiting), *blocks)?;
                }
            }
            Ok(())
        })?;
        check.read_records(waiting, *blocks)?;
        check.drain().for_each(found);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::finding::Code;
    use crate::model::jobs::Jobs;
    use crate::model::progress::Progress;
    use crate::model::report::{Expected, Report};
    use pds_core::data::block::{Block, MemoryBlocks};
    use pds_core::data::cid::Codec;
    use pds_core::data::value::Value;
    use pds_core::mst::key::{Key, height};
    use pds_core::mst::tree::Tree;

    const NOTHING: Expected<'static> = Expected {
        did: None,
        key: None,
        keys: None,
        partial: false,
        accept_clock: false,
        now_micros: None,
        jobs: Jobs::ONE,
        progress: Progress::NONE,
    };

    fn record(text: &str) -> Block {
        let kind = ("$type", Value::from("com.example.note"));
        Block::new(Codec::Cbor, Value::from([kind, ("text", Value::from(text))]).encode())
    }

    fn check(trees: &mut Trees<'_>, root: Cid) -> (Report, Vec<Finding>) {
        let (mut check, mut findings) = (Check::new(&NOTHING), Vec::new());
        let mut found = |finding| findings.push(finding);
        trees.check(root, &mut check, &mut found).unwrap();
        check.drain().for_each(&mut found);
        (check.report, findings)
    }

    /// Returns the keys of a level, in ascending order.
    fn keys(level: u8) -> impl Iterator<Item = String> {
        let all = (0..).map(|n| format!("com.example.note/{n:05}"));
        all.filter(move |key| height(key.as_bytes()) == level)
    }

    /// Encodes a node.
    fn node(entries: &[(&str, Cid, Option<Cid>)]) -> Block {
        let link = |cid: Option<Cid>| cid.map_or(Value::Null, Value::Link);
        let mut before = "";
        let entries = entries.iter().map(|(key, value, right)| {
            let shared = before.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count();
            before = key;
            Value::from([
                ("k", Value::from(&key.as_bytes()[shared..])),
                ("p", Value::from(i64::try_from(shared).unwrap())),
                ("t", link(*right)),
                ("v", Value::Link(*value)),
            ])
        });
        let node = Value::from([("e", Value::from_iter(entries)), ("l", Value::Null)]);
        Block::new(Codec::Cbor, node.encode())
    }

    #[test]
    fn shared_subtrees_are_checked_once() {
        let mut blocks = MemoryBlocks::default();
        let written = {
            let empty = MemoryBlocks::default();
            let mut tree = Tree::empty(&empty);
            for n in 0..1_000 {
                let record = record(&n.to_string());
                let key = Key::new(format!("com.example.note/{n:05}").as_bytes()).unwrap();
                tree.insert(key, record.cid()).unwrap();
                blocks.extend([record]);
            }
            tree.write().unwrap()
        };
        blocks.extend(written.nodes.clone());
        let later = {
            let mut tree = Tree::open(&blocks, written.root);
            let key = Key::new(*b"com.example.note/00500").unwrap();
            tree.insert(key, record("changed").cid()).unwrap();
            tree.write().unwrap()
        };
        blocks.extend(later.nodes.iter().cloned().chain([record("changed")]));

        let mut trees = Trees::of(&blocks);
        let (report, findings) = check(&mut trees, written.root);
        assert_eq!((report.nodes, report.records), (written.nodes.len() as u64, 1_000));
        let (again, _) = check(&mut trees, later.root);
        assert_eq!((again.nodes, again.records), (later.nodes.len() as u64, 1));
        let (third, _) = check(&mut trees, written.root);
        assert_eq!((third.nodes, third.records, findings.len()), (0, 0, 0));
    }

    #[test]
    fn a_subtree_that_is_whole_is_an_error_where_it_does_not_belong() {
        let value = record("x");
        let [first, second] = [0, 1].map(|n| keys(1).nth(n).unwrap());
        let between: Vec<String> =
            keys(0).skip_while(|key| *key < first).take_while(|key| *key < second).collect();
        assert!(!between.is_empty());
        let low: Vec<_> = between.iter().map(|key| (key.as_str(), value.cid(), None)).collect();
        let shared = node(&low);
        let at = |one, two| node(&[(&first, value.cid(), one), (&second, value.cid(), two)]);
        let here = at(Some(shared.cid()), None);
        let wrong_gap = at(None, Some(shared.cid()));
        let high = keys(2).next().unwrap();
        let wrong_level = node(&[(&high, value.cid(), Some(shared.cid()))]);
        let all = [&value, &shared, &here, &wrong_gap, &wrong_level].map(Block::clone);
        let blocks: MemoryBlocks = all.into_iter().collect();

        let mut trees = Trees::of(&blocks);
        assert_eq!(check(&mut trees, here.cid()).1, []);
        for wrong in [wrong_gap.cid(), wrong_level.cid()] {
            let (report, findings) = check(&mut trees, wrong);
            assert_eq!((findings.len(), findings[0].code()), (1, Code::NodeInvalid), "{wrong}");
            assert_eq!((report.errors, findings[0].cid), (1, Some(shared.cid())));
            // A check without shared subtrees finds the same error.
            assert!(walk(&blocks, wrong).any(|step| step.is_err()), "{wrong}");
        }
        assert_eq!(check(&mut trees, here.cid()).1, []);
    }

    #[test]
    fn a_subtree_is_checked_again_only_where_it_has_less_room() {
        let value = record("x");
        let after =
            |level: u8, before: &str| keys(level).find(|key| key.as_str() > before).unwrap();
        let early = after(2, "");
        let high = after(2, &early);
        let low = after(1, &high);
        let end = after(2, &low);
        let last = after(0, &end);
        let below = node(&[(&last, value.cid(), None)]);
        let shared = node(&[(&low, value.cid(), Some(below.cid()))]);
        let fits = node(&[(&high, value.cid(), Some(shared.cid()))]);
        // The keys of the shared node lie before the end, and those below it do not.
        let narrow = node(&[(&high, value.cid(), Some(shared.cid())), (&end, value.cid(), None)]);
        let wide = node(&[(&early, value.cid(), Some(shared.cid()))]);
        let all = [&value, &below, &shared, &fits, &narrow, &wide].map(Block::clone);
        let blocks: MemoryBlocks = all.into_iter().collect();

        let mut trees = Trees::of(&blocks);
        let (report, findings) = check(&mut trees, fits.cid());
        assert_eq!((report.nodes, findings), (3, Vec::new()));
        let (report, findings) = check(&mut trees, wide.cid());
        assert_eq!((report.nodes, findings), (1, Vec::new()));
        let (_, findings) = check(&mut trees, narrow.cid());
        assert_eq!((findings.len(), findings[0].code()), (1, Code::NodeInvalid));
        assert_eq!(findings[0].cid, Some(below.cid()));
    }

    #[test]
    fn a_fault_is_reported_once_for_all_trees_that_have_it() {
        let (value, first) = (record("x"), keys(1).next().unwrap());
        let lost = record("lost").cid();
        let low = keys(0).find(|key| *key > first).unwrap();
        let shared = node(&[(&low, lost, None)]);
        let one = node(&[(&first, value.cid(), Some(shared.cid()))]);
        let two = node(&[(&first, shared.cid(), Some(shared.cid()))]);
        let all = [&value, &shared, &one, &two].map(Block::clone);
        let blocks: MemoryBlocks = all.into_iter().collect();
        let mut trees = Trees::of(&blocks);
        let (report, findings) = check(&mut trees, one.cid());
        assert_eq!((report.missing, findings[0].code()), (1, Code::RecordMissing));
        let (report, findings) = check(&mut trees, two.cid());
        assert!(report.missing == 0 && findings.iter().all(|f| f.code() != Code::RecordMissing));
    }
}
