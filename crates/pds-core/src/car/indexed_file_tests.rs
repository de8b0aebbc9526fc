//! Tests of indexed files.

use std::io::Cursor;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::car::write::CarWriter;
use crate::data::cid::Codec;

#[test]
fn duplicate_blocks_are_counted_and_found_once() {
    let [a, b] = [*b"a", *b"b"].map(|bytes| Block::new(Codec::Raw, bytes));
    let mut writer = CarWriter::new(Vec::new(), &[a.cid()]).unwrap();
    for block in [&a, &b, &a, &a] {
        writer.block(block.borrowed()).unwrap();
    }
    let file = CarFile::open(Cursor::new(writer.finish().unwrap())).unwrap();
    assert_eq!((file.sections(), file.duplicates(), file.len()), (4, 2, 2));
    assert_eq!(file.get(&a.cid()).unwrap(), Some(a));
    assert_eq!(file.get(&b.cid()).unwrap(), Some(b));
    assert_eq!(file.get(&Cid::of(Codec::Raw, b"c")).unwrap(), None);
}

#[test]
fn the_roots_the_size_and_the_notes_are_known() {
    let [other, commit] = [&b"a"[..], b"\xa1\x63did\x60"].map(|b| Block::new(Codec::Cbor, b));
    let mut writer = CarWriter::new(Vec::new(), &[commit.cid(), other.cid()]).unwrap();
    let header = CarWriter::new(Vec::new(), &[commit.cid()]).unwrap().finish().unwrap();
    assert!(CarFile::open(Cursor::new(header)).unwrap().is_empty());
    for block in [&other, &commit] {
        writer.block(block.borrowed()).unwrap();
    }
    let bytes = writer.finish().unwrap();
    let file = CarFile::open(Cursor::new(bytes.clone())).unwrap();
    assert_eq!(file.roots(), [commit.cid(), other.cid()]);
    assert_eq!((file.is_empty(), file.bytes()), (false, bytes.len() as u64));
    assert_eq!(file.possible_commits().map(Result::unwrap).collect::<Vec<_>>(), [commit.cid()]);
    for (block, noted) in [(&commit, MAY_BE_COMMIT), (&other, 0)] {
        let (number, note) = file.noted(&block.cid()).unwrap();
        assert_eq!((file.cid(number).unwrap(), note), (Some(block.cid()), noted));
    }
    assert_eq!(file.noted(&Cid::of(Codec::Cbor, b"c")), None);
    assert_eq!(file.cid(2).unwrap(), None);
}

#[test]
fn one_answer_has_a_limited_number_of_bytes() {
    let size = MAX_WINDOW_BYTES / 6;
    let blocks: Vec<Block> = (0..9).map(|n| Block::new(Codec::Raw, vec![n; size])).collect();
    let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
    blocks.iter().for_each(|block| writer.block(block.borrowed()).unwrap());
    let file = CarFile::open_unchecked(Cursor::new(writer.finish().unwrap())).unwrap();
    let cids: Vec<Cid> = blocks.iter().map(Block::cid).collect();
    assert_eq!(file.get_many(&cids).len(), 6);
    assert!(file.batch() > cids.len());
}

#[test]
fn a_cid_that_differs_in_any_byte_is_missing() {
    let block = Block::new(Codec::Cbor, *b"a");
    let mut writer = CarWriter::new(Vec::new(), &[block.cid()]).unwrap();
    writer.block(block.borrowed()).unwrap();
    let file = CarFile::open(Cursor::new(writer.finish().unwrap())).unwrap();
    assert_eq!(file.size_of(&block.cid()), Some(1));
    for at in 0..Cid::LEN {
        let mut bytes = *block.cid().as_bytes();
        bytes[at] ^= 4;
        if let Ok(cid) = Cid::from_bytes(&bytes) {
            assert_eq!(file.size_of(&cid), None, "byte {at}");
        }
    }
    let raw = Cid::from_digest(Codec::Raw, *block.cid().digest());
    assert_eq!(file.size_of(&raw), None);
}

#[test]
fn forged_cids_with_a_common_start_are_refused_soon() {
    let mut bytes = CarWriter::new(Vec::new(), &[]).unwrap().finish().unwrap();
    for n in 0..200_000_u32 {
        let mut cid = *Cid::of(Codec::Raw, b"").as_bytes();
        cid[Cid::LEN - 4..].copy_from_slice(&n.to_be_bytes());
        bytes.push(u8::try_from(Cid::LEN).unwrap());
        bytes.extend_from_slice(&cid);
    }
    let started = std::time::Instant::now();
    assert!(matches!(CarFile::open_unchecked(Cursor::new(bytes)), Err(CarError::Section { .. })));
    assert!(started.elapsed().as_secs() < 30, "the time is linear in the number of blocks");
}

#[test]
fn a_check_reads_the_chosen_blocks_and_finds_the_damaged_one() {
    let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
    let blocks: Vec<Block> =
        (0..300_u32).map(|n| Block::new(Codec::Raw, n.to_be_bytes().repeat(1_000))).collect();
    blocks.iter().for_each(|block| writer.block(block.borrowed()).unwrap());
    let mut bytes = writer.finish().unwrap();
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    let last = blocks[299].cid();
    let file = CarFile::open_unchecked(Cursor::new(bytes)).unwrap();
    let is_damaged = |number| file.cid(number).unwrap() == Some(last);
    assert!(matches!(
        file.check(|_| true),
        Err(CarError::Damaged { cid, .. }) if cid == last
    ));
    assert!(file.check(is_damaged).is_err());
    file.check(|number| !is_damaged(number)).unwrap();
    file.check(|_| false).unwrap();
}

#[test]
fn the_first_damaged_blocks_of_a_file_are_known() {
    let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
    let blocks: Vec<Block> =
        (0..1_003_u32).map(|n| Block::new(Codec::Raw, n.to_be_bytes())).collect();
    blocks.iter().for_each(|block| writer.block(block.borrowed()).unwrap());
    let mut bytes = writer.finish().unwrap();
    // A section is one byte of length, 36 of the CID and four of the block. The first two are good.
    let first = bytes.len() - 1_003 * 41;
    (2..1_003).for_each(|n| bytes[first + n * 41 + 40] ^= 1);
    let file = CarFile::open_reporting(Cursor::new(bytes), &mut |_| {}).unwrap();
    assert_eq!((file.sections(), file.len()), (1_003, 2));
    for (n, block) in blocks.iter().enumerate() {
        match file.damage_of(&block.cid()) {
            Some(CarError::Damaged { offset, cid, .. }) => {
                assert_eq!((offset, cid), ((first + n * 41) as u64, block.cid()));
                assert!((2..1_002).contains(&n));
            }
            other => assert!(other.is_none() && !(2..1_002).contains(&n), "{n}"),
        }
    }
}

#[test]
fn get_many_returns_the_results_of_get() {
    let blocks: Vec<Block> = (0..300_u32)
        .map(|n| Block::new(Codec::Raw, n.to_be_bytes().repeat(n as usize * n as usize / 40)))
        .collect();
    let mut order: Vec<&Block> = blocks.iter().collect();
    order.sort_unstable_by_key(|block| block.cid());
    let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
    for block in order {
        writer.block(block.borrowed()).unwrap();
    }
    let mut bytes = writer.finish().unwrap();
    let damaged = bytes.len() - 1;
    bytes[damaged] ^= 1;
    let file = CarFile::open_unchecked(Cursor::new(bytes)).unwrap();
    let mut cids: Vec<Cid> = blocks.iter().map(Block::cid).collect();
    cids.insert(7, Cid::of(Codec::Raw, b"not here"));
    cids.push(cids[3]);
    let mut errors = 0;
    let mut rest = &cids[..];
    while !rest.is_empty() {
        let answers = file.get_many(rest);
        assert!(!answers.is_empty());
        let (asked, others) = rest.split_at(answers.len());
        for (cid, answer) in asked.iter().zip(answers) {
            match (answer, file.get(cid)) {
                (Ok(together), Ok(alone)) => assert_eq!(together, alone),
                (Err(_), Err(_)) => errors += 1,
                other => panic!("{other:?}"),
            }
        }
        rest = others;
    }
    assert_eq!(errors, 1);
}

#[test]
fn one_digest_under_two_codecs_is_two_blocks() {
    let blocks = [Codec::Raw, Codec::Cbor].map(|codec| Block::new(codec, *b"a"));
    let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
    for block in &blocks {
        writer.block(block.borrowed()).unwrap();
    }
    let file = CarFile::open(Cursor::new(writer.finish().unwrap())).unwrap();
    assert_eq!(file.len(), 2);
    for block in blocks {
        let (number, found) = file.numbered(&block.cid()).unwrap().unwrap();
        assert_eq!(file.cid(number).unwrap(), Some(block.cid()));
        assert_eq!(found, block);
    }
}

/// A file that records the offset and the length of each read.
struct Noted(Cursor<Vec<u8>>, Mutex<Vec<(u64, usize)>>);

impl ReadAt for Noted {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.1.lock().unwrap().push((offset, bytes.len()));
        self.0.read_at(bytes, offset)
    }

    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
}

#[test]
fn neighbours_share_reads_of_a_limited_size() {
    let blocks: Vec<Block> =
        (0..1_000_u32).map(|n| Block::new(Codec::Raw, n.to_be_bytes().repeat(250))).collect();
    let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
    blocks.iter().for_each(|block| writer.block(block.borrowed()).unwrap());
    let file = Noted(Cursor::new(writer.finish().unwrap()), Mutex::default());
    let file = CarFile::open_unchecked(file).unwrap();
    let reads = |numbers: &[usize]| {
        file.file.1.lock().unwrap().clear();
        let cids: Vec<Cid> = numbers.iter().map(|n| blocks[*n].cid()).collect();
        assert_eq!(file.get_many(&cids).len(), numbers.len());
        file.file.1.lock().unwrap().clone()
    };
    // A section has 1,038 bytes with its length, which is not read.
    assert_eq!(reads(&[3, 4, 6]).iter().map(|(_, len)| *len).collect::<Vec<_>>(), [4 * 1_038 - 2]);
    assert_eq!(reads(&[900, 7, 800, 5]).len(), 3, "7 and 5 are close together");
    let all = reads(&(0..1_000).collect::<Vec<_>>());
    let largest = all.iter().map(|(_, len)| *len).max().unwrap();
    assert!((250_000..=256 * 1024).contains(&largest), "{largest}");
    assert_eq!(all.len(), 4);
}

#[test]
fn an_error_knows_its_place_and_whether_it_is_the_end() {
    let block = Block::new(Codec::Raw, *b"a");
    let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
    let start = writer.bytes();
    writer.block(block.borrowed()).unwrap();
    let bytes = writer.finish().unwrap();
    let mut damaged = bytes.clone();
    damaged.last_mut().map(|byte| *byte ^= 1).unwrap();
    for (bytes, is_one_block) in [(&damaged[..], true), (&bytes[..bytes.len() - 1], false)] {
        let mut errors = Vec::new();
        let report = &mut |error: CarError| errors.push((error.offset(), error.is_one_block()));
        let file = CarFile::open_reporting(Cursor::new(bytes), report).unwrap();
        assert_eq!(file.sections(), u64::from(is_one_block));
        assert_eq!(errors, [(Some(start), is_one_block)]);
    }
    let no_header = CarFile::open(Cursor::new(b"\x01\xa0")).unwrap_err();
    assert_eq!(no_header.offset(), None);
}

/// A file whose disk fails once the index is made.
struct Failing {
    file: Cursor<Vec<u8>>,
    fails: AtomicBool,
}

impl ReadAt for &Failing {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
        match self.fails.load(Ordering::Relaxed) {
            true => Err(std::io::Error::from_raw_os_error(5)),
            false => self.file.read_at(bytes, offset),
        }
    }

    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }
}

#[test]
fn the_code_of_a_failed_read_is_kept_for_each_block() {
    let blocks = [*b"a", *b"b"].map(|bytes| Block::new(Codec::Raw, bytes));
    let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
    blocks.iter().for_each(|block| writer.block(block.borrowed()).unwrap());
    let file = Cursor::new(writer.finish().unwrap());
    let file = Failing { file, fails: false.into() };
    let car = CarFile::open(&file).unwrap();
    file.fails.store(true, Ordering::Relaxed);
    for answer in car.get_many(&blocks.map(|block| block.cid())) {
        let ReadError::Backend { source, .. } = answer.unwrap_err() else {
            panic!("not an I/O error")
        };
        let error: &std::io::Error = source.downcast_ref().unwrap();
        assert_eq!(error.raw_os_error(), Some(5));
    }
}
