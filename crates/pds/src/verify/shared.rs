//! Checking many trees that share most of what they are: what was checked once is not read again.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use crate::error::Result;
use crate::model::finding::{Code, Finding};
use crate::verify::check::{Check, Verdict};
use crate::verify::indexed::read;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::contents::LARGE_BYTES;
use pds_core::mst::error::MstError;
use pds_core::mst::key::Key;
use pds_core::mst::node::{Node, Position};

/// What has been checked so far of all trees.
///
/// What a subtree is does not depend on where it hangs: its keys give its level, and only whether
/// they fit between the keys around it is another question for each place. So a subtree is
/// remembered with its level and its first and last key, and is not gone into again.
#[derive(Default)]
pub(crate) struct Trees {
    whole: HashMap<Cid, Extent>,
    /// Subtrees in which something is wrong, which has been reported.
    faulty: HashSet<Cid>,
    /// Records that have been checked at their path, by a keyed hash of both: eight bytes a record,
    /// and nobody outside can make two of them meet.
    records: HashSet<u64>,
    hasher: RandomState,
    /// Verdicts on large records, which many paths may name.
    large: HashMap<Cid, Verdict<'static>>,
}

/// Where the keys of a subtree lie; the empty tree has none.
#[derive(Clone)]
struct Extent {
    level: u8,
    keys: Option<(Key, Key)>,
}

/// The keys around a subtree.
#[derive(Clone, Copy)]
struct Gap<'k> {
    after: Option<&'k [u8]>,
    before: Option<&'k [u8]>,
}

impl Extent {
    fn fits(&self, position: Position, gap: Gap<'_>) -> bool {
        let is_on_level = match position {
            Position::Root => true,
            Position::Child { level } => self.level == level,
        };
        let ascends = |a: Option<&[u8]>, b: Option<&[u8]>| a.zip(b).is_none_or(|(a, b)| a < b);
        let lies_between = self.keys.as_ref().is_none_or(|(first, last)| {
            ascends(gap.after, Some(first.as_bytes())) && ascends(Some(last.as_bytes()), gap.before)
        });
        is_on_level && lies_between
    }
}

/// What a tree is checked with: where it is read from, and where findings go.
pub(crate) struct Checking<'c, 'e> {
    pub(crate) blocks: &'c dyn Blocks,
    pub(crate) check: &'c mut Check<'e>,
    pub(crate) found: &'c mut dyn FnMut(Finding),
}

impl Trees {
    /// Checks a tree, as far as it was not checked as part of another one.
    pub(crate) fn check(&mut self, root: Cid, with: &mut Checking<'_, '_>) -> Result<()> {
        let everywhere = Gap { after: None, before: None };
        self.subtree(root, Position::Root, everywhere, with)?;
        Ok(())
    }

    /// Checks a subtree at its place; `None` where something is wrong with it.
    fn subtree(
        &mut self,
        cid: Cid,
        position: Position,
        gap: Gap<'_>,
        with: &mut Checking<'_, '_>,
    ) -> Result<Option<Extent>> {
        if self.faulty.contains(&cid) {
            return Ok(None);
        }
        let extent = match self.whole.get(&cid) {
            Some(extent) => Some(extent.clone()),
            None => {
                let extent = self.inside(cid, position, with)?;
                match &extent {
                    Some(extent) => drop(self.whole.insert(cid, extent.clone())),
                    None => drop(self.faulty.insert(cid)),
                }
                extent
            }
        };
        with.check.drain().for_each(&mut *with.found);
        let Some(extent) = extent else { return Ok(None) };
        if extent.fits(position, gap) {
            return Ok(Some(extent));
        }
        with.check.report.unreadable += 1;
        let message = "its keys do not lie between those around it, or on its level";
        with.check.add(Finding::new(Code::NodeInvalid, message).cid(cid));
        Ok(None)
    }

    /// Checks a node and all below it, wherever it hangs.
    fn inside(
        &mut self,
        cid: Cid,
        position: Position,
        with: &mut Checking<'_, '_>,
    ) -> Result<Option<Extent>> {
        let Some(node) = read_node(cid, position, with)? else { return Ok(None) };
        let mut keys: Option<(Key, Key)> = None;
        let mut reach = |first: Key, last: Key| match &mut keys {
            Some((_, end)) => *end = last,
            keys @ None => *keys = Some((first, last)),
        };
        let mut is_whole = true;
        let below = node.level().checked_sub(1).map(|level| Position::Child { level });
        for index in 0..=node.len() {
            let before = index.checked_sub(1).and_then(|before| node.entry(before));
            let entry = node.entry(index);
            let child = before.as_ref().map_or(node.left(), |before| before.right);
            if let (Some(child), Some(position)) = (child, below) {
                let gap = Gap {
                    after: before.map(|before| before.key),
                    before: entry.map(|entry| entry.key),
                };
                match self.subtree(child, position, gap, with)? {
                    Some(Extent { keys: Some((first, last)), .. }) => reach(first, last),
                    Some(Extent { keys: None, .. }) | None => is_whole = false,
                }
            }
            if let Some(entry) = entry {
                self.record(entry.key, entry.value, with)?;
                let key = Key::new(entry.key)?;
                reach(key.clone(), key);
            }
        }
        Ok(is_whole.then_some(Extent { level: node.level(), keys }))
    }

    fn record(&mut self, key: &[u8], cid: Cid, with: &mut Checking<'_, '_>) -> Result<()> {
        if !self.records.insert(self.hasher.hash_one((key, cid))) {
            return Ok(());
        }
        if let Some(verdict) = self.large.get(&cid) {
            with.check.record(key, cid, verdict);
        } else if let Some(block) = read(with.blocks, cid, with.check)? {
            let verdict = Verdict::on(cid, block.bytes());
            with.check.record(key, cid, &verdict);
            if block.bytes().len() >= LARGE_BYTES {
                self.large.insert(cid, verdict.into_owned());
            }
        } else {
            with.check.unseen(key);
            with.check.missing(Code::RecordMissing, cid, Some(key));
        }
        Ok(())
    }
}

/// Reads a node; what is wrong with it is a finding.
fn read_node(cid: Cid, position: Position, with: &mut Checking<'_, '_>) -> Result<Option<Node>> {
    let Some(block) = read(with.blocks, cid, with.check)? else {
        with.check.missing(Code::NodeMissing, cid, None);
        return Ok(None);
    };
    let (code, message) = match Node::read(cid, block.bytes(), position) {
        Ok(node) => {
            with.check.report.nodes += 1;
            return Ok(Some(node));
        }
        Err(MstError::Undecodable { source, .. }) => (Code::NodeUndecodable, source.to_string()),
        Err(MstError::Invalid { reason, .. }) => (Code::NodeInvalid, reason.to_owned()),
        Err(error) => return Err(error.into()),
    };
    with.check.report.unreadable += 1;
    with.check.add(Finding::new(code, message).cid(cid));
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::jobs::Jobs;
    use crate::model::report::{Expected, Report};
    use pds_core::data::block::{Block, MemoryBlocks};
    use pds_core::data::cid::Codec;
    use pds_core::data::value::Value;
    use pds_core::mst::key::height;
    use pds_core::mst::tree::Tree;
    use pds_core::mst::walk::walk;

    const NOTHING: Expected<'static> =
        Expected { did: None, key: None, keys: None, partial: false, jobs: Jobs::ONE };

    fn record(text: &str) -> Block {
        let kind = ("$type", Value::from("com.example.note"));
        Block::new(Codec::Cbor, Value::from([kind, ("text", Value::from(text))]).encode())
    }

    fn check(trees: &mut Trees, blocks: &MemoryBlocks, root: Cid) -> (Report, Vec<Finding>) {
        let (mut check, mut findings) = (Check::new(&NOTHING), Vec::new());
        let mut found = |finding| findings.push(finding);
        trees.check(root, &mut Checking { blocks, check: &mut check, found: &mut found }).unwrap();
        check.drain().for_each(&mut found);
        (check.report, findings)
    }

    /// The first keys of a height.
    fn keys(level: u8) -> impl Iterator<Item = String> {
        let all = (0..).map(|n| format!("com.example.note/{n:05}"));
        all.filter(move |key| height(key.as_bytes()) == level)
    }

    /// A node as it must be encoded.
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
    fn what_two_trees_share_is_checked_once() {
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

        let mut trees = Trees::default();
        let (report, findings) = check(&mut trees, &blocks, written.root);
        assert_eq!((report.nodes, report.records), (written.nodes.len() as u64, 1_000));
        let (again, _) = check(&mut trees, &blocks, later.root);
        assert_eq!((again.nodes, again.records), (later.nodes.len() as u64, 1));
        let (third, _) = check(&mut trees, &blocks, written.root);
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

        let mut trees = Trees::default();
        assert_eq!(check(&mut trees, &blocks, here.cid()).1, []);
        for wrong in [wrong_gap.cid(), wrong_level.cid()] {
            let (report, findings) = check(&mut trees, &blocks, wrong);
            assert_eq!((findings.len(), findings[0].code()), (1, Code::NodeInvalid), "{wrong}");
            assert_eq!((report.errors, findings[0].cid), (1, Some(shared.cid())));
            // A check that remembers nothing says so too.
            assert!(walk(&blocks, wrong).any(|step| step.is_err()), "{wrong}");
        }
        assert_eq!(check(&mut trees, &blocks, here.cid()).1, []);
    }

    #[test]
    fn what_is_wrong_is_told_once_however_many_trees_have_it() {
        let (value, first) = (record("x"), keys(1).next().unwrap());
        let lost = record("lost").cid();
        let low = keys(0).find(|key| *key > first).unwrap();
        let shared = node(&[(&low, lost, None)]);
        let one = node(&[(&first, value.cid(), Some(shared.cid()))]);
        let two = node(&[(&first, shared.cid(), Some(shared.cid()))]);
        let all = [&value, &shared, &one, &two].map(Block::clone);
        let blocks: MemoryBlocks = all.into_iter().collect();
        let mut trees = Trees::default();
        let (report, findings) = check(&mut trees, &blocks, one.cid());
        assert_eq!((report.missing, findings[0].code()), (1, Code::RecordMissing));
        let (report, findings) = check(&mut trees, &blocks, two.cid());
        assert!(report.missing == 0 && findings.iter().all(|f| f.code() != Code::RecordMissing));
    }
}
