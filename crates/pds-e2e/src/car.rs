//! CAR files that a host could send, changed.

use pds_core::car::{read::CarReader, write::CarWriter};
use pds_core::data::{block::Block, cid::Cid};

/// Returns all blocks of a CAR file and its roots.
pub fn blocks(car: &[u8]) -> (Vec<Cid>, Vec<Block>) {
    let mut reader = CarReader::new(car).unwrap();
    let (roots, mut blocks) = (reader.roots().to_vec(), Vec::new());
    while let Some(section) = reader.next_section().unwrap() {
        blocks.push(section.block.to_block());
    }
    (roots, blocks)
}

/// Returns the offset of the bytes of a block in a CAR file.
pub fn offset(car: &[u8], block: &Block) -> usize {
    let bytes = block.bytes();
    car.windows(bytes.len()).position(|window| window == bytes).expect("the block is in the file")
}

/// Returns a CAR file with these roots and blocks.
pub fn file(roots: &[Cid], blocks: &[Block]) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new(), roots).unwrap();
    for block in blocks {
        car.block(block.borrowed()).unwrap();
    }
    car.finish().unwrap()
}

/// Returns a CAR file in which one block has the bytes of another, under its own CID.
pub fn with_bytes_of(car: &[u8], block: &Block, other: &Block) -> Vec<u8> {
    let at = offset(car, block);
    let (cid, bytes) = (block.cid().as_bytes().to_vec(), other.bytes());
    let length = cid.len() + bytes.len();
    let start = at - cid.len() - varint(cid.len() + block.bytes().len()).len();
    let mut changed = car[..start].to_vec();
    changed.extend(varint(length));
    changed.extend(cid);
    changed.extend_from_slice(bytes);
    changed.extend_from_slice(&car[at + block.bytes().len()..]);
    changed
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}
