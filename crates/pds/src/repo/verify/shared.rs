//! Checking many trees that share most of what they are: what was checked once is not read again.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use super::check::{Check, Verdict};
use super::indexed::{LARGE_BYTES, read};
use super::{Code, Finding};
use crate::data::{Blocks, Cid};
use crate::mst::{Key, MstError, Node, Position};
use crate::repo::Result;

/// What has been checked so far of all trees.
///
/// What a subtree is does not depend on where it hangs: its keys give its level, and only whether
/// they fit between the keys around it is another question for each place. So a subtree is
/// remembered with its level and its first and last key, and is not gone into again.
#[derive(Default)]
pub(super) struct Trees {
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
pub(super) struct Checking<'c, 'e> {
    pub(super) blocks: &'c dyn Blocks,
    pub(super) check: &'c mut Check<'e>,
    pub(super) found: &'c mut dyn FnMut(Finding),
}

impl Trees {
    /// Checks a tree, as far as it was not checked as part of another one.
    pub(super) fn check(&mut self, root: Cid, with: &mut Checking<'_, '_>) -> Result<()> {
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
        with.check.report.records += 1;
        if let Some(verdict) = self.large.get(&cid) {
            with.check.record(key, cid, verdict);
        } else if let Some(block) = read(with.blocks, cid, with.check)? {
            let verdict = Verdict::on(cid, block.bytes());
            with.check.record(key, cid, &verdict);
            if block.bytes().len() >= LARGE_BYTES {
                self.large.insert(cid, verdict.into_owned());
            }
        } else {
            with.check.path(key);
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
