//! A walk over a damaged tree, which reports records and the exact lost parts.

use std::collections::HashSet;

use pds::error::Result;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::mst::error::MstError;
use pds_core::mst::key::Key;
use pds_core::mst::node::{Node, Position};

/// A lost part of a state.
///
/// ```
/// use pds_rescue::Part;
///
/// let lost = Part::Records { after: Some(pds::mst::Key::new(*b"com.example.note/a")?), before: None };
/// assert_eq!(lost.to_string(), "the records after com.example.note/a");
/// # Ok::<(), pds::mst::MstError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A commit.
    Commit,
    /// A record.
    Record {
        /// The path of the record.
        key: Key,
    },
    /// A node of the tree. The records in and below it are unknown, except that they are between two other
    /// records.
    Records {
        /// The last record before them, or `None` at the start of the tree.
        after: Option<Key>,
        /// The first record after them, or `None` at the end of the tree.
        before: Option<Key>,
    },
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |key: &Key| key.as_bytes().escape_ascii().to_string();
        match self {
            Self::Commit => f.write_str("the commit"),
            Self::Record { key } => f.write_str(&text(key)),
            Self::Records { after, before } => match (after, before) {
                (None, None) => f.write_str("all records"),
                (Some(after), None) => write!(f, "the records after {}", text(after)),
                (None, Some(before)) => write!(f, "the records before {}", text(before)),
                (Some(after), Some(before)) => {
                    write!(f, "the records between {} and {}", text(after), text(before))
                }
            },
        }
    }
}

/// One step of a walk over a tree, in key order.
pub(super) enum Step {
    /// A node, before its content.
    Node { cid: Cid },
    /// A record with a readable block.
    Record { key: Key, cid: Cid },
    /// A lost record.
    LostRecord { key: Key, cid: Cid },
    /// A lost or invalid node, with its level if it is known.
    LostNode { after: Option<Key>, before: Option<Key>, cid: Cid, level: Option<u8> },
}

/// Walks trees. Each subtree is walked once.
pub(super) struct Trace<'a> {
    blocks: &'a dyn Blocks,
    known: HashSet<Cid>,
}

/// A part of a tree that the walk has not reached.
enum Waiting {
    Subtree { cid: Cid, position: Position },
    Entry { key: Key, cid: Cid },
}

impl<'a> Trace<'a> {
    pub(super) fn new(blocks: &'a dyn Blocks) -> Self {
        Self::knowing(blocks, HashSet::new())
    }

    /// Makes a walk that leaves out some subtrees.
    pub(super) fn knowing(blocks: &'a dyn Blocks, known: HashSet<Cid>) -> Self {
        Self { blocks, known }
    }

    /// Returns whether a subtree was walked, or is left out.
    pub(super) fn knows(&self, cid: &Cid) -> bool {
        self.known.contains(cid)
    }

    /// Walks a tree, or a subtree between two keys.
    pub(super) fn follow(
        &mut self,
        root: (Cid, Position),
        (mut after, end): (Option<Key>, Option<Key>),
        visit: &mut dyn FnMut(Step) -> Result<()>,
    ) -> Result<()> {
        let mut waiting = vec![Waiting::Subtree { cid: root.0, position: root.1 }];
        while let Some(next) = waiting.pop() {
            match next {
                Waiting::Subtree { cid, position } => {
                    if !self.known.insert(cid) {
                        continue;
                    }
                    let before = waiting.iter().rev().find_map(|waiting| match waiting {
                        Waiting::Entry { key, .. } => Some(key),
                        Waiting::Subtree { .. } => None,
                    });
                    let before = before.or(end.as_ref());
                    match self.node(cid, position, after.as_ref(), before)? {
                        Some(node) => {
                            visit(Step::Node { cid })?;
                            unfold(&node, &mut waiting)?;
                        }
                        None => {
                            let level = match position {
                                Position::Root => None,
                                Position::Child { level } => Some(level),
                            };
                            let (after, before) = (after.clone(), before.cloned());
                            visit(Step::LostNode { after, before, cid, level })?;
                        }
                    }
                }
                Waiting::Entry { key, cid } => {
                    after = Some(key.clone());
                    visit(match self.blocks.get(&cid)? {
                        Some(_) => Step::Record { key, cid },
                        None => Step::LostRecord { key, cid },
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Reads a node between two keys. Returns `None` if it is missing or invalid.
    fn node(
        &self,
        cid: Cid,
        position: Position,
        after: Option<&Key>,
        before: Option<&Key>,
    ) -> Result<Option<Node>> {
        let Some(block) = self.blocks.get(&cid)? else {
            return Ok(None);
        };
        let node = match Node::read(cid, block.bytes(), position) {
            Ok(node) => node,
            Err(MstError::Read(error)) => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        Ok(is_between(&node, after, before).then_some(node))
    }
}

/// Returns whether all keys of a node are between two other keys. A node without keys always is.
fn is_between(node: &Node, after: Option<&Key>, before: Option<&Key>) -> bool {
    let first = node.entry(0);
    let last = node.len().checked_sub(1).and_then(|last| node.entry(last));
    let follows = first.zip(after).is_none_or(|(first, after)| after.as_bytes() < first.key);
    follows && last.zip(before).is_none_or(|(last, before)| last.key < before.as_bytes())
}

/// Pushes the content of a node onto the stack, so that the leftmost part is next.
fn unfold(node: &Node, waiting: &mut Vec<Waiting>) -> Result<()> {
    let below = node.level().checked_sub(1).map(|level| Position::Child { level });
    let subtree =
        |cid: Option<Cid>| cid.zip(below).map(|(cid, position)| Waiting::Subtree { cid, position });
    let start = waiting.len();
    waiting.extend(subtree(node.left()));
    for entry in node.entries() {
        waiting.push(Waiting::Entry { key: Key::new(entry.key)?, cid: entry.value });
        waiting.extend(subtree(entry.right));
    }
    waiting[start..].reverse();
    Ok(())
}
