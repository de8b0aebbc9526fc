//! CAR files: both readers return the written blocks, and detect all damage.

use std::io::Cursor;

use pds::car::{CarFile, CarReader, CarWriter};
use pds::data::{Block, Blocks, Codec};
use proptest::prelude::*;

use super::config;

fn any_block() -> impl Strategy<Value = Block> {
    let codec = prop_oneof![Just(Codec::Cbor), Just(Codec::Raw)];
    let bytes = prop_oneof![
        9 => prop::collection::vec(any::<u8>(), 0..300),
        // This block is larger than a buffer.
        1 => (any::<u8>(), 100_000..300_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    (codec, bytes).prop_map(|(codec, bytes)| Block::new(codec, bytes))
}

fn file_of(blocks: &[Block], roots: usize) -> Vec<u8> {
    let roots: Vec<_> = blocks.iter().take(roots).map(Block::cid).collect();
    let mut writer = CarWriter::new(Vec::new(), &roots).unwrap();
    for block in blocks {
        writer.block(block.borrowed()).unwrap();
    }
    let bytes = writer.bytes();
    let file = writer.finish().unwrap();
    assert_eq!(file.len() as u64, bytes);
    file
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn written_blocks_are_read_in_order_and_by_cid(
        mut blocks in prop::collection::vec(any_block(), 0..20),
        roots in 0..4_usize,
        again in any::<prop::sample::Index>(),
    ) {
        if !blocks.is_empty() {
            blocks.push(again.get(&blocks).clone());
        }
        let file = file_of(&blocks, roots);
        let reader = CarReader::new(&file[..]).unwrap();
        prop_assert_eq!(reader.roots().len(), roots.min(blocks.len()));
        let read: Vec<Block> = reader.collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&read, &blocks);
        let indexed = CarFile::open(Cursor::new(&file)).unwrap();
        prop_assert_eq!(indexed.sections(), blocks.len() as u64);
        prop_assert_eq!(indexed.len() as u64 + indexed.duplicates(), indexed.sections());
        for block in &blocks {
            let found = indexed.get(&block.cid()).unwrap();
            prop_assert_eq!(found.as_ref(), Some(block));
        }
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_header(
        blocks in prop::collection::vec(any_block(), 1..4),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let file = file_of(&blocks, 1);
        let mut damaged = file.clone();
        damaged[at.index(file.len())] ^= 1 << bit;
        let read = CarReader::new(&damaged[..]).and_then(|reader| {
            let roots = reader.roots().to_vec();
            Ok((roots, reader.collect::<Result<Vec<Block>, _>>()?))
        });
        // Only a change in the digest of the root leaves a valid file.
        if let Ok((roots, read)) = read {
            prop_assert_ne!(&roots[..], &[blocks[0].cid()][..]);
            prop_assert_eq!(read, blocks);
        }
    }
}
