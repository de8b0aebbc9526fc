//! The two edits of a tree, insert and remove, and their steps: split, join, raise and lower.
//!
//! Each step reads nodes on its way down, and changes nodes on its way back up. So a node that cannot be read stops an
//! edit before anything has changed.

use crate::data::cid::Cid;
use crate::data::limits::MAX_NODE_ENTRIES;
use crate::mst::cache::Source;
use crate::mst::error::MstError;
use crate::mst::key::Key;
use crate::mst::node::{NOT_ASCENDING, Position};
use crate::mst::tree::{Branch, BranchEntry, Link, Tree};

impl Tree<'_> {
    /// Sets the value of a key and returns its previous value.
    ///
    /// # Errors
    ///
    /// [`MstError`] if a node on the path is missing, breaks a rule or is full. The tree is then unchanged.
    pub fn insert(&mut self, key: Key, value: Cid) -> Result<Option<Cid>, MstError> {
        let height = key.height();
        let source = self.source;
        self.lower()?;
        let Some(link) = &mut self.root else {
            self.root = Some(Link::leaf(height, key, value, None, None));
            return Ok(None);
        };
        let root = link.open(source, Position::Root)?;
        if height <= root.level {
            return root.insert(source, key, height, value);
        }
        let level = root.level;
        let right = root.split_off(source, &key)?.and_then(|link| raise(link, level, height));
        let left = self.root.take().filter(|link| !link.is_hollow());
        let left = left.and_then(|link| raise(link, level, height));
        self.root = Some(Link::leaf(height, key, value, left, right));
        Ok(None)
    }

    /// Removes a key and returns its previous value.
    ///
    /// # Errors
    ///
    /// [`MstError`] if a node on the path or a node to be joined is missing, breaks a rule or would have too many
    /// entries. The tree is then unchanged.
    pub fn remove(&mut self, key: &[u8]) -> Result<Option<Cid>, MstError> {
        let source = self.source;
        self.lower()?;
        let Some(link) = &mut self.root else {
            return Ok(None);
        };
        let root = link.open(source, Position::Root)?;
        root.remove(source, key, crate::mst::key::height(key))
    }

    /// Removes the nodes without entries that removals have left at the top of the tree.
    pub(super) fn lower(&mut self) -> Result<(), MstError> {
        loop {
            let Some(Link::Open(root)) = &mut self.root else {
                return Ok(());
            };
            if !root.entries.is_empty() {
                return Ok(());
            }
            // The child is opened before the root is removed: if it cannot be read, the tree is unchanged. The child
            // may also have no entries.
            if let (Some(below), Some(position)) = (&mut root.left, Position::below(root.level)) {
                below.open(self.source, position)?;
            }
            self.root = root.left.take();
        }
    }
}

impl Link {
    fn leaf(level: u8, key: Key, value: Cid, left: Option<Self>, right: Option<Self>) -> Self {
        let entries = vec![BranchEntry { key, value, right }];
        Self::Open(Box::new(Branch { level, stored: None, left, entries }))
    }

    /// Returns whether an edit has left neither entries nor a subtree.
    fn is_hollow(&self) -> bool {
        matches!(self, Self::Open(branch) if branch.is_hollow())
    }
}

/// Adds nodes without entries above a subtree on `level`, until a node on level `height` can link to it.
fn raise(link: Link, level: u8, height: u8) -> Option<Link> {
    let bridged = (level + 1..height).fold(link, |below, level| {
        let left = Some(below);
        Link::Open(Box::new(Branch { level, stored: None, left, entries: Vec::new() }))
    });
    Some(bridged)
}

impl Branch {
    fn insert(
        &mut self,
        source: Source<'_>,
        key: Key,
        height: u8,
        value: Cid,
    ) -> Result<Option<Cid>, MstError> {
        let index = match self.search(key.as_bytes()) {
            Ok(index) => {
                let entry = &mut self.entries[index];
                let before = std::mem::replace(&mut entry.value, value);
                if before != value {
                    self.stored = None;
                }
                return Ok(Some(before));
            }
            Err(index) => index,
        };
        let level = self.level;
        if height == level && self.entries.len() >= MAX_NODE_ENTRIES {
            return Err(MstError::Full);
        }
        let gap = self.gap_mut(index);
        if height == level {
            let right = match open_child(gap, source, level)? {
                Some(child) => child.split_off(source, &key)?,
                None => None,
            };
            gap.take_if(|link| link.is_hollow());
            self.entries.insert(index, BranchEntry { key, value, right });
            self.stored = None;
            return Ok(None);
        }
        let before = match open_child(gap, source, level)? {
            Some(child) => child.insert(source, key, height, value)?,
            None => {
                *gap = raise(Link::leaf(height, key, value, None, None), height, level);
                None
            }
        };
        if before != Some(value) {
            self.stored = None;
        }
        Ok(before)
    }

    fn remove(
        &mut self,
        source: Source<'_>,
        key: &[u8],
        height: u8,
    ) -> Result<Option<Cid>, MstError> {
        if height > self.level {
            return Ok(None);
        }
        let level = self.level;
        let index = match self.search(key) {
            Ok(index) => index,
            Err(index) if height < level => {
                let gap = self.gap_mut(index);
                let Some(child) = open_child(gap, source, level)? else {
                    return Ok(None);
                };
                let before = child.remove(source, key, height)?;
                if before.is_some() {
                    gap.take_if(|link| link.is_hollow());
                    self.stored = None;
                }
                return Ok(before);
            }
            Err(_) => return Ok(None),
        };
        let mut right = self.entries[index].right.take();
        let joined = join(self.gap_mut(index), &mut right, source, level, key);
        if let Err(error) = joined {
            self.entries[index].right = right;
            return Err(error);
        }
        self.stored = None;
        Ok(Some(self.entries.remove(index).value))
    }

    /// Splits the node at a key that it does not contain. Keeps the part before the key and returns the part after it.
    fn split_off(&mut self, source: Source<'_>, key: &Key) -> Result<Option<Link>, MstError> {
        let index = match self.search(key.as_bytes()) {
            Ok(index) | Err(index) => index,
        };
        let level = self.level;
        let gap = self.gap_mut(index);
        let left = match open_child(gap, source, level)? {
            Some(child) => child.split_off(source, key)?,
            None => None,
        };
        gap.take_if(|link| link.is_hollow());
        let entries = self.entries.split_off(index);
        if left.is_none() && entries.is_empty() {
            return Ok(None);
        }
        // If the whole node moves to the right part, its CID is still valid.
        let stored = self.stored.take().filter(|_| self.is_hollow());
        Ok(Some(Link::Open(Box::new(Self { level, stored, left, entries }))))
    }

    fn is_hollow(&self) -> bool {
        self.left.is_none() && self.entries.is_empty()
    }

    /// Returns the link before the entry with this index, or the link after the last entry.
    pub(super) fn gap_mut(&mut self, index: usize) -> &mut Option<Link> {
        match index.checked_sub(1) {
            None => &mut self.left,
            Some(before) => &mut self.entries[before].right,
        }
    }
}

fn open_child<'l>(
    gap: &'l mut Option<Link>,
    source: Source<'_>,
    level: u8,
) -> Result<Option<&'l mut Branch>, MstError> {
    match (gap, Position::below(level)) {
        (Some(link), Some(position)) => link.open(source, position).map(Some),
        _ => Ok(None),
    }
}

/// Moves the subtree on the right of a removed key into the subtree on its left.
fn join(
    left: &mut Option<Link>,
    right: &mut Option<Link>,
    source: Source<'_>,
    level: u8,
    removed: &[u8],
) -> Result<(), MstError> {
    if left.is_none() || right.is_none() {
        if left.is_none() {
            *left = right.take();
        }
        return Ok(());
    }
    let (Some(below), Some(after)) =
        (open_child(left, source, level)?, open_child(right, source, level)?)
    else {
        return Ok(());
    };
    // Each node is valid on its own. Only a comparison with the removed key shows that their keys ascend together.
    if below.entries.last().is_some_and(|last| last.key.as_bytes() >= removed) {
        return not_ascending(left);
    }
    if after.entries.first().is_some_and(|first| first.key.as_bytes() <= removed) {
        return not_ascending(right);
    }
    let (last, level) = (below.entries.len(), below.level);
    if last + after.entries.len() > MAX_NODE_ENTRIES {
        return Err(MstError::Full);
    }
    join(below.gap_mut(last), &mut after.left, source, level, removed)?;
    below.entries.append(&mut after.entries);
    below.stored = None;
    Ok(())
}

/// Returns the error for a subtree with a key on the wrong side of a removed key.
#[cold]
fn not_ascending(subtree: &Option<Link>) -> Result<(), MstError> {
    let name = |link: &Link| MstError::Invalid { cid: link.name(), reason: NOT_ASCENDING };
    subtree.as_ref().map(name).map_or(Ok(()), Err)
}

#[cfg(test)]
#[path = "edit_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
