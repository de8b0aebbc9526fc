//! CAR files: the two readers agree, and what they read is written again.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use pds::car::{CarFile, CarReader, CarWriter};
use pds::data::{Block, Blocks};

fuzz_target!(|bytes: &[u8]| {
    let read = read(bytes);
    let indexed = CarFile::open(Cursor::new(bytes));
    assert_eq!(read.is_some(), indexed.is_ok());
    let _ = CarFile::open_reporting(Cursor::new(bytes), &mut |_| {});
    let _ = CarFile::salvage(Cursor::new(bytes), &mut |_| {});
    let (Some((roots, blocks)), Ok(car)) = (read, indexed) else { return };
    assert_eq!((car.roots(), car.sections()), (&*roots, blocks.len() as u64));
    let mut writer = CarWriter::new(Vec::new(), &roots).expect("memory can be written");
    for block in &blocks {
        let found = car.get(&block.cid()).expect("memory can be read");
        assert_eq!(found.as_ref(), Some(block));
        writer.block(block.borrowed()).expect("memory can be written");
    }
    let written = writer.finish().expect("memory can be written");
    assert_eq!(self::read(&written), Some((roots, blocks)));
});

/// Reads a file from its start to its end; `None` if any part of it is refused.
fn read(bytes: &[u8]) -> Option<(Vec<pds::data::Cid>, Vec<Block>)> {
    let mut reader = CarReader::new(bytes).ok()?;
    let roots = reader.roots().to_vec();
    let mut blocks = Vec::new();
    while let Some(section) = reader.next_section().ok()? {
        blocks.push(section.block.to_block());
    }
    Some((roots, blocks))
}
