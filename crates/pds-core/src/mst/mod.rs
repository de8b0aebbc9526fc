//! The Merkle search tree: an ordered map from keys to CIDs whose root is a function of its content.
//!
//! Vocabulary (specification "Repository", section "MST Structure"):
//!
//! - *key*: the bytes of a record path
//! - *height* of a key: half the number of leading zero bits of its SHA-256, rounded down
//! - *node*: a block with the keys of one height in one range
//! - *level* of a node: the height of its keys; a node without keys is one level below its parent
//! - *entry*: a key with the CID of its record
//! - *subtree*: a node and everything below it; a parent links to it between two entries, before the first entry,
//!   or after the last one
//!
//! Invariants:
//!
//! - The tree is read through [`Blocks`] only. Edits happen in memory, and [`Tree::write`] returns the new nodes.
//! - Every rule on the shape of a node is checked when the node is read. A child is exactly one level below its
//!   parent, so the 128 levels that SHA-256 allows bound both the depth of a tree and the recursion.
//! - An edit that fails, for example at a missing node, leaves the tree unchanged.
//!
//! Special cases, each with a test of that name:
//!
//! - A key higher than the root splits the whole tree.
//! - A removed key joins the subtrees on its two sides all the way down.
//! - Levels without keys are nodes with a left subtree only.
//! - Removing the last key of the root lowers the tree by more than one level.
//! - Removing the last key of all leaves one empty node.
//!
//! [`Blocks`]: crate::data::block::Blocks
//! [`Tree::write`]: tree::Tree::write

pub mod base_tree;
pub mod build;
pub mod cache;
pub(crate) mod comparison;
pub(crate) mod compressed;
pub mod contents;
pub mod diff;
pub(crate) mod diff_ahead;
pub(crate) mod edit;
pub(crate) mod encoder;
pub mod error;
pub mod key;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod model;
pub mod node;
pub(crate) mod path;
pub mod preorder;
pub mod proof;
pub mod range;
pub mod seen;
pub(crate) mod settle;
pub(crate) mod traversal;
pub mod tree;
pub mod walk;
