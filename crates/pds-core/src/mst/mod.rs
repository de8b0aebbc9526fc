//! The Merkle search tree: an ordered map from keys to CIDs whose root is a function of its content.
//!
//! Vocabulary: a *key* is the bytes of a record path; its *height* is how many pairs of leading
//! zero bits its SHA-256 has; a *node* is a block that holds the keys of one height, its *level*,
//! in one range; an *entry* is a key with the CID of its record; a *subtree* hangs between two
//! entries, or before the first or after the last. (Specification "Repository", section "MST
//! Structure".)
//!
//! Invariants kept here:
//!
//! - Nothing reads or writes anything but through [`Blocks`]: edits happen in memory, and
//!   [`Tree::write`] returns the new nodes.
//! - Every rule on the shape of a node is checked when the node is read, and a child is exactly one
//!   level below its parent. So depth is bounded by the 128 levels that SHA-256 allows, and the
//!   recursion in here with it.
//! - An edit that fails (a missing node, say) leaves the tree as it was.
//!
//! Tricky cases, each with a test of that name: a key higher than the root splits the whole tree;
//! a removed key joins the subtrees on its two sides all the way down; levels without keys are
//! nodes with a left subtree only; removing the last key of the root lowers the tree by more than
//! one level; removing the last key of all leaves one empty node.
//!
//! [`Blocks`]: crate::data::Blocks

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
pub mod node;
pub(crate) mod path;
pub mod preorder;
pub mod proof;
pub mod range;
pub mod seen;
pub(crate) mod traversal;
pub mod tree;
pub mod walk;
