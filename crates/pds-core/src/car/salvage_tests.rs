use std::io::Cursor;

use super::*;
use crate::car::write::CarWriter;
use crate::data::block::{Block, Blocks};
use crate::data::cid::Codec;

/// A file, its blocks, and the start and end of each section.
fn car() -> (Vec<u8>, Vec<Block>, Vec<(usize, usize)>) {
    let sizes = [10, 300, 0, 90_000, 50, 1, 700];
    let block = |(n, len): (u8, usize)| Block::new(Codec::Raw, vec![n; len]);
    let blocks: Vec<Block> = (1..).zip(sizes).map(block).collect();
    let mut writer = CarWriter::new(Vec::new(), &[blocks[0].cid()]).unwrap();
    for block in &blocks {
        writer.block(block.borrowed()).unwrap();
    }
    let file = writer.finish().unwrap();
    let mut reader = CarReader::new(&file[..]).unwrap();
    let mut places = Vec::new();
    while let Some(section) = reader.next_section().unwrap() {
        let start = usize::try_from(section.offset).unwrap();
        places.push((
            start,
            usize::try_from(section.cid_offset).unwrap() + 36 + section.block.bytes().len(),
        ));
    }
    (file, blocks, places)
}

/// Every byte around the heads of sections, and regular samples of the large block.
fn some_places(file: &[u8]) -> impl Iterator<Item = usize> {
    let near = |at: &usize| *at < 200 || (400..550).contains(at) || at.is_multiple_of(97);
    (0..file.len())
        .filter(move |at| near(at) && !(1_000..90_000).contains(at) || at.is_multiple_of(4_999))
}

fn salvaged(file: Vec<u8>) -> (CarFile<Cursor<Vec<u8>>>, Vec<CarError>) {
    let mut errors = Vec::new();
    let car = CarFile::salvage(Cursor::new(file), &mut |error| errors.push(error)).unwrap();
    (car, errors)
}

#[test]
fn a_whole_file_is_read_as_it_is() {
    let (file, blocks, _) = car();
    let (car, errors) = salvaged(file.clone());
    let opened = CarFile::open(Cursor::new(file)).unwrap();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(
        (car.len(), car.sections(), car.bytes()),
        (opened.len(), opened.sections(), opened.bytes())
    );
    assert_eq!((car.roots(), car.len()), (opened.roots(), blocks.len()));
}

#[test]
fn a_byte_that_changes_costs_one_block_at_most() {
    let (file, blocks, places) = car();
    for at in some_places(&file) {
        for change in [0x01, 0x80] {
            let mut file = file.clone();
            file[at] ^= change;
            let (car, errors) = salvaged(file);
            assert!(!errors.is_empty() || at < places[0].0, "{at} {change}: no error was reported");
            for (block, (start, end)) in blocks.iter().zip(&places) {
                let is_harmed = (*start..*end).contains(&at);
                let found = car.get(&block.cid()).unwrap();
                assert!(is_harmed || found.as_ref() == Some(block), "{at} {change}");
            }
        }
    }
}

#[test]
fn a_damaged_header_costs_the_roots_alone() {
    let (mut file, blocks, _) = car();
    file[2] ^= 1;
    let (car, errors) = salvaged(file);
    assert_eq!((car.roots(), car.len()), (&[][..], blocks.len()));
    assert_eq!((car.sections(), errors.len()), (blocks.len() as u64, 1), "{errors:?}");
}

#[test]
fn a_length_that_is_cut_off_differs_from_bytes_that_are_no_length() {
    let (file, blocks, _) = car();
    for (tail, is_cut) in [(&[0xff; 8][..], true), (&[0xff; 9], false)] {
        let (car, errors) = salvaged([&file, tail].concat());
        assert_eq!((car.len(), errors.len()), (blocks.len(), 1), "{errors:?}");
        assert_eq!(matches!(errors[0], CarError::Truncated { .. }), is_cut, "{errors:?}");
    }
}

#[test]
fn every_cut_keeps_the_blocks_before_it() {
    let (file, blocks, places) = car();
    for end in some_places(&file) {
        let (car, _) = salvaged(file[..end].to_vec());
        for (block, (_, block_end)) in blocks.iter().zip(&places) {
            assert_eq!(car.get(&block.cid()).unwrap().is_some(), *block_end <= end, "{end}");
        }
    }
}

#[test]
fn a_damaged_length_loses_nothing_before_a_sound_section() {
    let (file, blocks, places) = car();
    for (number, (start, _)) in places.iter().enumerate().take(places.len() - 1) {
        let mut file = file.clone();
        file[*start] ^= 0x05;
        let (car, errors) = salvaged(file);
        assert_eq!(errors.len(), 1, "{number}: {errors:?}");
        assert_eq!(car.len(), blocks.len(), "{number}");
    }
}

#[test]
fn removed_or_inserted_bytes_cost_the_blocks_they_touch() {
    let (file, blocks, places) = car();
    let (from, to) = (places[1].0 + 20, places[2].0 + 3);
    let cut = [&file[..from], &file[to..]].concat();
    let put = [&file[..from], &[0x55; 100_000], &file[from..]].concat();
    for (file, lost) in [(cut, [1, 2].as_slice()), (put, &[1])] {
        let (car, errors) = salvaged(file);
        assert!(!errors.is_empty());
        for (number, block) in blocks.iter().enumerate() {
            assert_eq!(
                car.get(&block.cid()).unwrap().is_none(),
                lost.contains(&number),
                "{number}"
            );
        }
    }
}

#[test]
fn a_file_that_only_looks_like_sections_ends_the_search() {
    // A length of 200,000 bytes before every CID.
    let hostile = [0x00, 0xc0, 0x9a, 0x0c, 0x01, 0x55, 0x12, 0x20].repeat(40_000);
    let (car, errors) = salvaged(hostile);
    assert!(car.is_empty());
    let last = errors.last().unwrap();
    assert!(matches!(last, CarError::Section { reason: SEARCH_BUDGET_SPENT, .. }), "{errors:?}");
}

#[test]
fn a_length_not_in_its_shortest_form_is_damage() {
    let (mut file, blocks, _) = car();
    let last = Block::new(Codec::Raw, *b"last");
    file.extend([40 | 0x80, 0]);
    file.extend(last.cid().as_bytes());
    file.extend(last.bytes());
    let (car, errors) = salvaged(file);
    assert_eq!((car.len(), errors.len()), (blocks.len() + 1, 1), "{errors:?}");
    assert!(matches!(errors[0], CarError::Section { reason: "not a length", .. }), "{errors:?}");
}

#[test]
fn the_largest_block_is_salvaged_and_a_larger_one_is_not() {
    for (len, count) in [(MAX_BLOCK_BYTES, 1), (MAX_BLOCK_BYTES + 1, 0)] {
        let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
        writer.block(Block::new(Codec::Raw, vec![7; len]).borrowed()).unwrap();
        let (car, errors) = salvaged(writer.finish().unwrap());
        assert_eq!((car.len(), errors.len()), (count, 1 - count), "{errors:?}");
    }
}
