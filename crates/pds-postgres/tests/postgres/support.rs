//! Helpers of the tests: accounts, small blocks and changes.

use std::sync::atomic::{AtomicU32, Ordering};

use pds_core::data::block::Block;
use pds_core::data::cid::{Cid, Codec};
use pds_core::data::value::Value;
use pds_core::syntax::did::Did;
use pds_store::change::Change;
use pds_store::event::Event;
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit};

/// Returns an account that no other test uses.
pub(crate) fn new_did() -> Did {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    named_did(&format!("n{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn named_did(name: &str) -> Did {
    format!("did:web:{name}.example.com").parse().unwrap()
}

pub(crate) fn block(n: u32) -> Block {
    Block::new(Codec::Cbor, Value::from(n).encode())
}

pub(crate) fn cid(n: u32) -> Cid {
    block(n).cid()
}

/// Returns a change that stores a block, points HEAD to it, and has its number as the message.
pub(crate) fn step(n: u32, expect: Expect) -> Change<'static> {
    let edit = RefEdit { name: RefName::head(), target: Some(cid(n)), expect };
    let blocks = [n, n + 1_000_000].map(|n| Ok(block(n)));
    Change::new(Event::Write).blocks(blocks).edit(edit).message(n.to_string())
}
