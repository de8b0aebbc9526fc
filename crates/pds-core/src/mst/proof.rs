//! Proofs: the blocks that show that a key is in a tree or absent from it.

use crate::data::block::{Block, Blocks};
use crate::data::cid::Cid;
use crate::mst::error::MstError;
use crate::mst::key::height;
use crate::mst::node::{NOT_ASCENDING, Node, Position, read_node};

/// Returns the nodes from the root of a tree down to a key.
///
/// If the key is absent, the chain goes down until a node has no subtree for it, as the proofs of servers do. An
/// absent key needs fewer nodes in theory, because a key can only be on the level of its height. But common verifiers
/// go further down. [`get`](super::tree::get) checks these nodes together, and a [`Descent`] checks them one by one.
/// (Specification "Repository", "Inclusion and exclusion proofs".)
///
/// ```
/// use pds::data::{Cid, Codec, MemoryBlocks};
/// use pds::mst::{Key, Tree, get, proof};
///
/// let mut blocks = MemoryBlocks::default();
/// let value = Cid::of(Codec::Cbor, b"1");
/// let mut tree = Tree::empty(&blocks);
/// tree.insert(Key::new(*b"a")?, value)?;
/// let written = tree.write()?;
/// blocks.extend(written.nodes);
///
/// let shown: MemoryBlocks = proof(&blocks, written.root, b"b")?.into_iter().collect();
/// assert_eq!(get(&shown, written.root, b"b")?, None);
/// # Ok::<(), pds::mst::MstError>(())
/// ```
///
/// # Errors
///
/// [`MstError`] if a node on the path is missing or breaks a rule.
pub fn proof(blocks: &dyn Blocks, root: Cid, key: &[u8]) -> Result<Vec<Block>, MstError> {
    Descent::new(root, key).through(blocks)
}

/// The path from a root down to a key, to which the caller passes one node after the other.
///
/// ```
/// use pds::data::{Block, Codec};
/// use pds::mst::{Descent, EMPTY_NODE};
///
/// let root = Block::new(Codec::Cbor, EMPTY_NODE);
/// let mut descent = Descent::new(root.cid(), b"a");
/// assert_eq!(descent.due(), Some(root.cid()));
/// descent.node(root.bytes())?;
/// assert_eq!((descent.due(), descent.value()), (None, None));
/// # Ok::<(), pds::mst::MstError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Descent<'k> {
    key: &'k [u8],
    height: u8,
    next: Option<(Cid, Position)>,
    /// The nodes so far include the level of the key's height, or a lower one.
    is_at_height: bool,
    /// The nearest keys before and after the key, among the nodes so far.
    before: Option<Box<[u8]>>,
    after: Option<Box<[u8]>>,
    value: Option<Cid>,
}

impl<'k> Descent<'k> {
    /// Starts at the root of a tree.
    #[must_use]
    pub fn new(root: Cid, key: &'k [u8]) -> Self {
        let next = Some((root, Position::Root));
        let (height, is_at_height) = (height(key), false);
        Self { key, height, next, is_at_height, before: None, after: None, value: None }
    }

    /// Returns the node that is expected next, or `None` at the end of the path.
    #[must_use]
    pub fn due(&self) -> Option<Cid> {
        self.next.map(|(cid, _)| cid)
    }

    /// Returns whether the nodes so far show the presence or absence of the key.
    ///
    /// This can be before the end of the path: an absent key cannot be in the nodes below the level of its height.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.next.is_none() || self.is_at_height
    }

    /// Passes the node that is due. The caller has checked that the bytes match its CID.
    ///
    /// # Errors
    ///
    /// [`MstError`] if the bytes are not a node, or if the node is not valid in this place.
    pub fn node(&mut self, bytes: &[u8]) -> Result<(), MstError> {
        match self.next {
            Some((cid, position)) => self.pass(cid, &Node::read(cid, bytes, position)?),
            None => Ok(()),
        }
    }

    /// Reads the nodes up to the end of the path, and returns them.
    ///
    /// # Errors
    ///
    /// [`MstError`] if a node on the path is missing or breaks a rule.
    pub fn through(&mut self, blocks: &dyn Blocks) -> Result<Vec<Block>, MstError> {
        let mut chain = Vec::new();
        while let Some((cid, position)) = self.next {
            let (block, node) = read_node(blocks, cid, position)?;
            self.pass(cid, &node)?;
            chain.push(block);
        }
        Ok(chain)
    }

    /// Returns the CID of the record at the key. Before the end of the path, and if the key is absent, it is `None`.
    #[must_use]
    pub fn value(&self) -> Option<Cid> {
        self.value
    }

    fn pass(&mut self, cid: Cid, node: &Node) -> Result<(), MstError> {
        if !node.lies_between(self.before.as_deref(), self.after.as_deref()) {
            return Err(MstError::Invalid { cid, reason: NOT_ASCENDING });
        }
        self.next = None;
        let index = match node.search(self.key) {
            Ok(index) => {
                self.value = node.entry(index).map(|entry| entry.value);
                return Ok(());
            }
            Err(index) => index,
        };
        self.is_at_height = node.level() <= self.height;
        self.next = node.subtree(index).zip(Position::below(node.level()));
        let key_at = |index| node.entry(index).map(|entry| entry.key.into());
        self.before = index.checked_sub(1).and_then(key_at).or(self.before.take());
        self.after = key_at(index).or(self.after.take());
        Ok(())
    }
}
