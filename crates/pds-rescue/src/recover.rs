//! The recovery of records from a damaged CAR file.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::orphans::{Each, Orphans};
use crate::rest::Rest;
use crate::states::{FoundState, Roots, StateName, States, Tally};
use crate::survivors::{Survivor, Survivors};
use crate::trace::{Part, Step, Trace};
use pds::error::Result;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::{Cid, Codec};
use pds_core::mst::key::Key;
use pds_core::mst::node::Position;
use pds_core::mst::walk::nodes;

/// A recovered record, a lost part, or a state.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// # repo.put(&"com.example.note/a".parse()?, &note)?;
/// # let mut file = Vec::new();
/// # repo.transfer().export(&"HEAD".parse()?, &mut file)?;
/// use pds::car::CarFile;
/// use pds_rescue::{Recovered, recover};
///
/// file.truncate(file.len() - 1);
/// let car = CarFile::salvage(std::io::Cursor::new(file), &mut |error| println!("{error}"))?;
/// let mut lost = Vec::new();
/// recover(&car, &car, &mut |recovered| {
///     if let Recovered::Lost { part, .. } = recovered {
///         lost.push(part.to_string());
///     }
///     Ok(())
/// })?;
/// assert_eq!(lost, ["com.example.note/a"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub enum Recovered {
    /// A record of the present state.
    Record {
        /// The path of the record.
        key: Key,
        /// The record.
        block: Block,
    },
    /// A record that only another state has, or that has another version there.
    InState {
        /// The other state: the newest one that has the record.
        state: StateName,
        /// The path of the record.
        key: Key,
        /// The record.
        block: Block,
    },
    /// A record in a subtree that no found state has.
    Unplaced {
        /// The path of the record in its subtree.
        key: Key,
        /// The record.
        block: Block,
    },
    /// A block that is neither a commit nor a tree node, and that no remaining tree has.
    WithoutPath {
        /// The block, which is probably a record.
        block: Block,
    },
    /// A lost part.
    Lost {
        /// The lost part.
        part: Part,
        /// The CID of the lost block, or `None` if it is unknown.
        cid: Option<Cid>,
        /// The other state that needs it, or `None` if the present state or an unplaced subtree does.
        state: Option<StateName>,
    },
    /// A state, after all records. If the file has one state only, it is left out.
    State(FoundState),
}

/// The counts of [`recover`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// The commit of the present state, or `None` if it is lost. Its fields may be malformed.
    pub commit: Option<Commit>,
    /// The commits that were found, the newest first. Their fields may be malformed.
    pub commits: Vec<Commit>,
    /// The number of recovered records of the present state.
    pub records: u64,
    /// The number of records that only other states have.
    pub in_states: u64,
    /// The number of records in subtrees that no found state has.
    pub unplaced: u64,
    /// The number of blocks that no tree has.
    pub without_path: u64,
    /// The number of lost parts: commits, single records, and ranges of records.
    pub lost: u64,
}

/// Calls `found` with everything that is left in a CAR file, and with the lost parts.
///
/// Every readable block that may be a record is reported, with its path if any tree in the file has it. The present
/// state comes first, in key order. It is the newest state whose tree is not entirely lost. Then come the records
/// that only other states have, the newest state first, and the records that no state has.
///
/// Blocks are read from `blocks`: the file, or [`Sources`](super::Sources) of the file and other places. Memory use
/// grows with the number of blocks and records, not with their size.
///
/// # Errors
///
/// The error that `found` returns, and [`Error`](pds::Error) if a source cannot be read.
pub fn recover<F: ReadAt>(
    car: &CarFile<F>,
    blocks: &dyn Blocks,
    found: &mut dyn FnMut(Recovered) -> Result<()>,
) -> Result<Recovery> {
    let each = |visit: &mut dyn FnMut(&Block)| each_block(car, visit);
    let root = car.roots().first().copied();
    let mut roots = Roots::of(blocks);
    let states = States::find(root, &mut roots, &each)?;
    let mut search = Search::new(blocks, found);
    search.recovery.commit = states.present().cloned();
    for commit in &states.commits {
        search.reported.insert(search.hasher.hash_one(commit.cid()));
    }
    search.present_state(&states, root, &each)?;
    search.other_states(&states, &mut roots)?;
    search.rest(&each)?;
    if states.commits.len() > 1 {
        let lost = std::mem::take(&mut search.lost);
        let mut tally = Tally::new(blocks, &lost);
        for commit in &states.commits {
            let state = tally.of(commit, &mut roots)?;
            (search.found)(Recovered::State(state))?;
        }
    }
    search.recovery.commits = states.commits;
    Ok(search.recovery)
}

/// The recovery of one file, with what was reported so far.
struct Search<'a> {
    blocks: &'a dyn Blocks,
    found: &'a mut dyn FnMut(Recovered) -> Result<()>,
    recovery: Recovery,
    /// The nodes whose content was reported.
    walked: HashSet<Cid>,
    lost: HashSet<Cid>,
    /// The hashes of the CIDs, and of the pairs of path and CID, that were reported. An attacker cannot predict them.
    reported: HashSet<u64>,
    hasher: RandomState,
}

impl<'a> Search<'a> {
    fn new(blocks: &'a dyn Blocks, found: &'a mut dyn FnMut(Recovered) -> Result<()>) -> Self {
        let (walked, lost, reported) = (HashSet::new(), HashSet::new(), HashSet::new());
        let (recovery, hasher) = (Recovery::default(), RandomState::new());
        Self { blocks, found, recovery, walked, lost, reported, hasher }
    }

    /// Marks a record as reported. Returns whether the same version was not reported at this path before.
    fn is_new(&mut self, key: &Key, cid: Cid) -> bool {
        self.reported.insert(self.hasher.hash_one(cid));
        self.reported.insert(self.hasher.hash_one((key.as_bytes(), cid)))
    }

    fn lose(&mut self, part: Part, cid: Option<Cid>, state: Option<StateName>) -> Result<()> {
        self.lost.extend(cid);
        self.recovery.lost += 1;
        (self.found)(Recovered::Lost { part, cid, state })
    }

    /// Reports the records of the present state. If it is the only one, orphans fill its gaps.
    fn present_state(&mut self, states: &States, root: Option<Cid>, each: &Each<'_>) -> Result<()> {
        let commits = &states.commits;
        let root_is_lost =
            root.is_some_and(|root| commits.iter().all(|commit| commit.cid() != root));
        if root_is_lost || commits.is_empty() {
            self.lose(Part::Commit, root, None)?;
        }
        let data = states.present().map(Commit::data);
        let is_whole = data.is_some_and(|data| nodes(self.blocks, data).all(|node| node.is_ok()));
        // An orphan may belong to any state of the file, so it has no certain place if there are several.
        let is_alone = commits.len() + usize::from(root_is_lost) <= 1;
        let orphans = match !is_whole && is_alone {
            true => Orphans::of(self.blocks, each)?,
            false => Orphans::default(),
        };
        // Without a commit, a single orphan is the root. Several orphans are subtrees.
        let top = data.or(match orphans.nodes.as_slice() {
            [only] => Some(only.cid),
            _ => None,
        });
        if top.is_none() && orphans.nodes.is_empty() {
            return Ok(());
        }
        let (blocks, nowhere) = (self.blocks, Cid::from_digest(Codec::Cbor, [0; 32]));
        let mut sink = |survivor| match survivor {
            Survivor::Node { cid } => {
                self.walked.insert(cid);
                Ok(())
            }
            Survivor::Record { key, cid } => {
                let Some(block) = self.blocks.get(&cid)? else { return Ok(()) };
                self.is_new(&key, cid);
                self.recovery.records += 1;
                (self.found)(Recovered::Record { key, block })
            }
            Survivor::Lost { part, cid } => {
                self.lose(part, Some(cid).filter(|cid| *cid != nowhere), None)
            }
        };
        Survivors::new(blocks, &orphans, Vec::new(), &mut sink).follow(top.unwrap_or(nowhere))?;
        Ok(())
    }

    /// Reports the records that only other states have, and the losses of these states.
    fn other_states(&mut self, states: &States, roots: &mut Roots<'_>) -> Result<()> {
        let mut trace = Trace::knowing(self.blocks, self.walked.clone());
        for (commit, needs_tree) in states.others() {
            let state = Some(states.name_of(commit));
            if !roots.has(commit.data())? {
                if needs_tree && !self.lost.contains(&commit.data()) {
                    let all = Part::Records { after: None, before: None };
                    self.lose(all, Some(commit.data()), state)?;
                }
                continue;
            }
            let root = (commit.data(), Position::Root);
            trace.follow(root, (None, None), &mut |step| self.step(step, state))?;
        }
        Ok(())
    }

    /// Reports what no state has: subtrees, and then records.
    fn rest(&mut self, each: &Each<'_>) -> Result<()> {
        let mut trace = Trace::knowing(self.blocks, std::mem::take(&mut self.walked));
        let rest = Rest::find(self.blocks, &trace, each)?;
        for root in rest.roots {
            if !trace.knows(&root.0) {
                trace.follow(root, (None, None), &mut |step| self.step(step, None))?;
            }
        }
        for cid in rest.others {
            if self.reported.insert(self.hasher.hash_one(cid))
                && let Some(block) = self.blocks.get(&cid)?
            {
                self.recovery.without_path += 1;
                (self.found)(Recovered::WithoutPath { block })?;
            }
        }
        Ok(())
    }

    /// Reports a step through another state, or through a subtree of no state.
    fn step(&mut self, step: Step, state: Option<StateName>) -> Result<()> {
        match step {
            Step::Node { cid } => {
                self.walked.insert(cid);
                Ok(())
            }
            Step::Record { key, cid } => {
                if !self.is_new(&key, cid) {
                    return Ok(());
                }
                let Some(block) = self.blocks.get(&cid)? else { return Ok(()) };
                match state {
                    Some(state) => {
                        self.recovery.in_states += 1;
                        (self.found)(Recovered::InState { state, key, block })
                    }
                    None => {
                        self.recovery.unplaced += 1;
                        (self.found)(Recovered::Unplaced { key, block })
                    }
                }
            }
            Step::LostRecord { key, cid } => match self.is_new(&key, cid) {
                true => self.lose(Part::Record { key }, Some(cid), state),
                false => Ok(()),
            },
            Step::LostNode { after, before, cid, .. } => match self.lost.contains(&cid) {
                true => Ok(()),
                false => self.lose(Part::Records { after, before }, Some(cid), state),
            },
        }
    }
}

/// Calls `visit` with every readable block of a file.
fn each_block<F: ReadAt>(car: &CarFile<F>, visit: &mut dyn FnMut(&Block)) -> Result<()> {
    for number in 0..car.len() {
        if let Some(cid) = car.cid(number)?
            && let Ok(Some(block)) = car.get(&cid)
        {
            visit(&block);
        }
    }
    Ok(())
}
