//! The blocks of several states, each block once.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::history::log_pages::LogPages;
use crate::model::progress::{Progress, StepKind};
use crate::parts::Parts;
use crate::reading::Moment;
use crate::transfer::incoming::{Incoming, Passed};
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks, get_all, get_some};
use pds_core::data::cid::Cid;
use pds_core::mst::error::MstError;
use pds_core::mst::node::{Node, Position};
use pds_core::syntax::did::Did;
use pds_store::error::{BoxError, damage};

/// The blocks of several states. A subtree that states share is read once.
///
/// Each commit, node and record is hashed, and the form of commits and nodes is checked. Memory use grows with at most 16 bytes
/// for each block.
pub(crate) struct StateBlocks<'a> {
    blocks: &'a dyn Blocks,
    did: &'a Did,
    states: std::vec::IntoIter<State>,
    /// The state that is being read.
    state: State,
    /// The nodes and records that need not be read again.
    pub(crate) passed: Passed,
    nodes: Vec<(Cid, Position)>,
    records: Vec<Cid>,
    /// Returns whether a node with all below it, or a record, is stored already.
    is_stored: Option<&'a IsStored<'a>>,
    ready: std::vec::IntoIter<Block>,
    /// The blocks of past states that are missing or damaged.
    pub(crate) lost: Vec<Cid>,
}

pub(crate) type IsStored<'a> = dyn Fn(&Cid) -> Result<bool> + Sync + 'a;

/// A state to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) commit: Cid,
    /// Whether every block must be readable. Otherwise, those that are not are lost.
    pub(crate) is_whole: bool,
}

impl<'a> StateBlocks<'a> {
    /// Reads states of an account from some blocks, in this order.
    pub(crate) fn new(blocks: &'a dyn Blocks, did: &'a Did, states: Vec<State>, head: Cid) -> Self {
        let state = State { commit: head, is_whole: true };
        Self {
            blocks,
            did,
            states: states.into_iter(),
            state,
            passed: Passed::default(),
            nodes: Vec::new(),
            records: Vec::new(),
            is_stored: None,
            ready: Vec::new().into_iter(),
            lost: Vec::new(),
        }
    }

    /// Leaves out what is stored already. The change must fail if blocks are deleted meanwhile.
    pub(crate) fn without_stored(self, is_stored: &'a IsStored<'a>) -> Self {
        Self { is_stored: Some(is_stored), ..self }
    }

    /// Reads the next blocks. Returns `false` at the end.
    fn read_on(&mut self) -> Result<bool> {
        let ready = if !self.records.is_empty() {
            self.read_records()?
        } else if !self.nodes.is_empty() {
            self.read_nodes()?
        } else if let Some(state) = self.states.next() {
            self.state = state;
            self.read_commit()?.into_iter().collect()
        } else {
            return Ok(false);
        };
        self.ready = ready.into_iter();
        Ok(true)
    }

    fn read_commit(&mut self) -> Result<Option<Block>> {
        let cid = self.state.commit;
        let Some(block) = self.or_lost(cid, self.blocks.get(&cid).map_err(Error::from))? else {
            return Ok(None);
        };
        let commit = Commit::decode(&block).map_err(Error::from);
        let Some(commit) = self.or_lost(cid, commit.map(Some))? else { return Ok(None) };
        if commit.did() != self.did {
            let (expected, found) = (self.did.clone(), commit.did().clone());
            return Err(Error::WrongDid { expected, found });
        }
        self.nodes.push((commit.data(), Position::Root));
        Ok(Some(block))
    }

    fn read_nodes(&mut self) -> Result<Vec<Block>> {
        let many = self.blocks.batch().max(READ_AT_ONCE);
        let mut asked = self.nodes.split_off(self.nodes.len().saturating_sub(many));
        asked.retain(|(cid, _)| self.passed.nodes.insert(cid));
        if let Some(is_stored) = self.is_stored {
            let mut new = Vec::with_capacity(asked.len());
            for (cid, position) in asked {
                if !is_stored(&cid)? {
                    new.push((cid, position));
                }
            }
            asked = new;
        }
        let cids: Vec<Cid> = asked.iter().map(|(cid, _)| *cid).collect();
        let mut ready = Vec::with_capacity(cids.len());
        for ((cid, position), found) in asked.into_iter().zip(get_all(self.blocks, &cids)) {
            let missing = || MstError::Missing { cid };
            let read = found.map_err(MstError::Read).and_then(|found| found.ok_or_else(missing));
            let node = read.and_then(|block| {
                let node = Node::read(cid, block.bytes(), position)?;
                Ok(Some((block, node)))
            });
            let Some((block, node)) = self.or_lost(cid, node.map_err(Error::from))? else {
                continue;
            };
            let new = node.entries().map(|entry| entry.value);
            self.records.extend(new.filter(|cid| self.passed.records.insert(cid)));
            if let Some(level) = node.level().checked_sub(1) {
                let below = Position::Child { level };
                self.nodes.extend(node.subtrees().map(|cid| (cid, below)));
            }
            ready.push(block);
        }
        Ok(ready)
    }

    fn read_records(&mut self) -> Result<Vec<Block>> {
        let many = self.blocks.batch().clamp(1, self.records.len());
        let answers = get_some(self.blocks, &self.records[..many]);
        let asked: Vec<Cid> = self.records.drain(..answers.len()).collect();
        let mut ready = Vec::with_capacity(asked.len());
        for (cid, found) in asked.into_iter().zip(answers) {
            ready.extend(self.or_lost(cid, found.map_err(Error::from))?);
        }
        Ok(ready)
    }

    /// Returns what was read. Otherwise the block is lost, or its state must be whole and cannot be copied.
    fn or_lost<T>(&mut self, cid: Cid, read: Result<Option<T>>) -> Result<Option<T>> {
        let error = match read {
            Ok(Some(read)) => return Ok(Some(read)),
            Ok(None) => Error::Mst(MstError::Missing { cid }),
            Err(error) => error,
        };
        if !is_loss(&error) {
            return Err(error);
        }
        if self.state.is_whole {
            let commit = self.state.commit;
            return Err(Error::StateLost { commit, source: Box::new(error) });
        }
        self.lost.push(cid);
        Ok(None)
    }
}

/// Returns whether an error means that a block is missing, damaged or of the wrong kind.
fn is_loss(error: &Error) -> bool {
    match error {
        Error::Read(error) | Error::Mst(MstError::Read(error)) => damage(error).is_some(),
        Error::Mst(_) | Error::Commit(_) => true,
        _ => false,
    }
}

impl Iterator for StateBlocks<'_> {
    type Item = Result<Block, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(block) = self.ready.next() {
                return Some(Ok(block));
            }
            match self.read_on() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

/// The blocks of the imported state, then those of others.
pub(crate) struct AllBlocks<'a> {
    pub(crate) head: Incoming<'a>,
    pub(crate) others: StateBlocks<'a>,
    pub(crate) progress: Progress<'a>,
}

impl<'a> AllBlocks<'a> {
    pub(crate) fn of(head: Incoming<'a>, others: StateBlocks<'a>, progress: Progress<'a>) -> Self {
        Self { head, others, progress }
    }
}

impl Iterator for AllBlocks<'_> {
    type Item = Result<Block, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.head.next().or_else(|| {
            if let Some(passed) = self.head.passed.take() {
                self.others.passed = passed;
            }
            self.others.next()
        });
        if next.is_some() {
            self.progress.one(StepKind::Blocks);
        }
        next
    }
}

/// Returns states in the order of their first mention, each once, without one of them.
pub(crate) fn each_once(states: impl Iterator<Item = State>, except: Option<Cid>) -> Vec<State> {
    let mut seen: HashSet<Cid> = except.into_iter().collect();
    states.filter(|state| seen.insert(state.commit)).collect()
}

/// The number of nodes that are read together.
const READ_AT_ONCE: usize = 64;

/// Returns every state that a ref or the log names, except one. Those of refs must be whole.
pub(crate) fn states_of(parts: &Parts, moment: &Moment, except: Option<Cid>) -> Result<Vec<State>> {
    let present = moment.refs.iter().map(|(_, commit)| State { commit: *commit, is_whole: true });
    let mut past = Vec::new();
    for row in LogPages::new(parts.store.as_ref(), moment.version) {
        past.extend(row?.after.map(|commit| State { commit, is_whole: false }));
    }
    Ok(each_once(present.chain(past.into_iter().rev()), except))
}
