//! Input of the fuzz targets: blocks whose links are valid whatever the fuzzer changes.

pub mod seeds;

use pds::car::CarWriter;
use pds::data::{Block, Cid, Codec, MemoryBlocks};

/// The first bytes of a link in DAG-CBOR: tag 42 and a byte string of 37 bytes, the first of which is zero.
pub const LINK: [u8; 5] = [0xd8, 0x2a, 0x58, 0x25, 0x00];

/// The length of a binary CID.
const CID_BYTES: usize = 36;

/// The first bytes of a whole CID: version 1, the codec, and the length of a SHA-256.
const CID_STARTS: [[u8; 4]; 2] = [[0x01, 0x71, 0x12, 0x20], [0x01, 0x55, 0x12, 0x20]];

/// Decodes blocks from the input of a fuzzer.
///
/// The input is a list of blocks, each a length of two bytes and its content. A link to an earlier block is [`LINK`]
/// and the number of that block in one byte; a link with a whole CID is kept. So a changed block does not break the links to it, and mutations reach
/// the checks behind the hashes.
pub fn linked_blocks(mut input: &[u8]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (content, rest) = rest.split_at(length);
        input = rest;
        blocks.push(Block::new(Codec::Cbor, with_links(content, &blocks)));
        if blocks.len() > usize::from(u8::MAX) {
            break;
        }
    }
    blocks
}

fn with_links(content: &[u8], blocks: &[Block]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = content;
    while let Some((first, after)) = rest.split_first() {
        let linked = rest.strip_prefix(&LINK);
        let is_number = |rest: &&[u8]| !CID_STARTS.iter().any(|start| rest.starts_with(start));
        let linked = linked.filter(is_number).and_then(|rest| rest.split_first());
        match linked.and_then(|(number, after)| Some((blocks.get(usize::from(*number))?, after))) {
            Some((block, after)) => {
                bytes.extend_from_slice(&LINK);
                bytes.extend_from_slice(block.cid().as_bytes());
                rest = after;
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// Encodes blocks as input of [`linked_blocks`], which finds the same blocks in it. Blocks must come before the blocks
/// that link to them. A link to another block keeps its CID.
pub fn input_of(blocks: &[Block]) -> Vec<u8> {
    let mut input = Vec::new();
    for block in blocks {
        let (mut content, mut rest) = (Vec::new(), block.bytes());
        while let Some((first, after)) = rest.split_first() {
            let cid = rest.strip_prefix(&LINK).and_then(|rest| rest.get(..CID_BYTES));
            let number =
                cid.and_then(|cid| blocks.iter().position(|one| one.cid().as_bytes() == cid));
            match number.and_then(|number| u8::try_from(number).ok()) {
                Some(number) => {
                    content.extend_from_slice(&LINK);
                    content.push(number);
                    rest = &rest[LINK.len() + CID_BYTES..];
                }
                None => {
                    content.push(*first);
                    rest = after;
                }
            }
        }
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
        input.extend_from_slice(&length.to_be_bytes());
        input.extend_from_slice(&content[..usize::from(length)]);
    }
    input
}

/// Returns a CAR file with some blocks, whose root is the last one.
pub fn car_of(blocks: &[Block]) -> Vec<u8> {
    let roots: Vec<Cid> = blocks.last().map(Block::cid).into_iter().collect();
    let mut car = CarWriter::new(Vec::new(), &roots).expect("memory can be written");
    for block in blocks.iter().rev() {
        car.block(block.borrowed()).expect("memory can be written");
    }
    car.finish().expect("memory can be written")
}

/// Returns a place to read blocks from.
pub fn stored(blocks: &[Block]) -> MemoryBlocks {
    blocks.iter().cloned().collect()
}
