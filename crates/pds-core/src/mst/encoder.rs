//! The encoder of nodes.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used)]

use crate::data::block::Block;
use crate::data::cid::{Cid, Codec};
use crate::data::encode::{
    put_bytes, put_head, put_link, put_link_or_null, put_list, put_map, put_text,
};
use crate::data::limits::MAX_NODE_ENTRIES;
use crate::mst::key::common_prefix;

/// Writes the block of a node, entry by entry.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// The encoded entries, after [`ROOM`] free bytes for the CID and the head, which are known at the end.
    buffer: Vec<u8>,
    count: usize,
    before: Vec<u8>,
}

impl Encoder {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds the next entry.
    pub(super) fn entry(&mut self, key: &[u8], value: &Cid, right: Option<&Cid>) {
        let prefix = common_prefix(&self.before, key);
        let (_, rest) = key.split_at_checked(prefix).unwrap_or((key, &[]));
        let out = &mut self.buffer;
        out.reserve(ROOM.saturating_add(rest.len()).saturating_add(ENTRY_BYTES));
        if out.is_empty() {
            out.extend_from_slice(&[0; ROOM]);
        }
        out.extend_from_slice(b"\xa4\x61k");
        put_bytes(out, rest);
        put_text(out, "p");
        put_head(out, 0, prefix as u64);
        put_text(out, "t");
        put_link_or_null(out, right);
        put_text(out, "v");
        put_link(out, value);
        self.before.truncate(prefix);
        self.before.extend_from_slice(rest);
        self.count = self.count.saturating_add(1);
    }

    /// Returns the block. The encoder is then empty and keeps its buffers.
    pub(super) fn finish(&mut self, left: Option<&Cid>) -> Block {
        debug_assert!(self.count <= MAX_NODE_ENTRIES, "no head has room for more");
        // No more keys follow, so the buffer of the last key is free for the head.
        let head = &mut self.before;
        head.clear();
        put_map(head, 2);
        put_text(head, "e");
        put_list(head, self.count);
        let out = &mut self.buffer;
        out.resize(out.len().max(ROOM), 0);
        put_text(out, "l");
        put_link_or_null(out, left);
        // The head is directly before the entries, and the CID directly before the head.
        let start = ROOM.saturating_sub(head.len());
        if let Some(place) = out.get_mut(start..ROOM) {
            place.copy_from_slice(head);
        }
        let whole = out.get_mut(start.saturating_sub(Cid::LEN)..).unwrap_or_default();
        let block = Block::in_place(Codec::Cbor, whole);
        self.buffer.clear();
        self.before.clear();
        self.count = 0;
        block
    }
}

/// The most bytes before the entries: the CID of the block and the head of the node.
///
/// The head has one byte for the map and two for its first key. The head of the list has up to three bytes, enough for
/// 65,535 entries; the limit is [`MAX_NODE_ENTRIES`].
const ROOM: usize = Cid::LEN + 6;

/// The most bytes of an entry without its key.
const ENTRY_BYTES: usize = 12 + 2 * 43;
