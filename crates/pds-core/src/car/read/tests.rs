//! Tests of reading CAR files section by section.

use super::*;
use crate::car::write::CarWriter;
use crate::data::cid::{Cid, Codec};
use crate::data::value::Value;

/// A reader that returns one byte at a time, like a slow pipe.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.0.len().min(buffer.len()).min(1);
        self.0.read(&mut buffer[..len])
    }
}

fn car(blocks: &[Block]) -> Vec<u8> {
    let mut writer = CarWriter::new(Vec::new(), &[blocks[0].cid()]).unwrap();
    for block in blocks {
        writer.block(block.borrowed()).unwrap();
    }
    let bytes = writer.bytes();
    let file = writer.finish().unwrap();
    assert_eq!(bytes, file.len() as u64);
    file
}

#[test]
fn a_block_larger_than_the_buffer_is_read_whole() {
    let blocks = [
        Block::new(Codec::Raw, vec![1; 10]),
        Block::new(Codec::Raw, vec![2; 3 * BUFFER_BYTES]),
        Block::new(Codec::Raw, vec![]),
    ];
    let file = car(&blocks);
    let read: Vec<Block> = CarReader::new(&file[..]).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(read, blocks);
    let slow: Vec<Block> = CarReader::new(Drip(&file)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(slow, blocks);
}

#[test]
fn the_largest_block_is_read_and_a_larger_one_refused() {
    for (len, fits) in [(MAX_BLOCK_BYTES, true), (MAX_BLOCK_BYTES + 1, false)] {
        let file = car(&[Block::new(Codec::Raw, vec![7; len])]);
        let first = CarReader::new(&file[..]).unwrap().next().unwrap();
        assert_eq!(first.is_ok(), fits);
    }
}

#[test]
fn every_cut_is_noticed_except_between_sections() {
    let file = car(&[Block::new(Codec::Raw, vec![1; 10]), Block::new(Codec::Raw, vec![2; 20])]);
    let mut complete = 0;
    for end in 0..file.len() {
        let Ok(reader) = CarReader::new(&file[..end]) else {
            continue;
        };
        let all: Result<Vec<Block>, _> = reader.collect();
        complete += usize::from(all.is_ok());
    }
    assert_eq!(complete, 2, "after the header and after the first block");
}

#[test]
fn reading_goes_on_after_a_damaged_block() {
    let blocks = [Block::new(Codec::Raw, vec![1; 10]), Block::new(Codec::Raw, vec![2; 20])];
    let mut file = car(&blocks);
    let last_of_first = file.len() - 20 - 36 - 1 - 1;
    file[last_of_first] ^= 1;
    let mut reader = CarReader::new(&file[..]).unwrap();
    assert!(reader.next().unwrap().unwrap_err().is_one_block());
    assert_eq!(reader.next().unwrap().unwrap(), blocks[1]);
    assert!(reader.next().is_none());
}

#[test]
fn lengths_are_in_their_shortest_form_and_of_nine_bytes_at_most() {
    let header = car(&[Block::new(Codec::Raw, vec![])]);
    let header = &header[..header.len() - 37];
    for (bytes, reason) in [
        (&[0x80, 0x00][..], "a length not in its shortest form"),
        (&[0xff; 9][..], "a length of more than nine bytes"),
        (&[0xff; 11][..], "a length of more than nine bytes"),
        (&[0x00][..], "a section without bytes"),
        (&[0x05, 0, 0, 0, 0, 0][..], "a section too short for a CID"),
    ] {
        let file = [header, bytes].concat();
        match CarReader::new(&file[..]).unwrap().next().unwrap().unwrap_err() {
            CarError::Section { reason: found, .. } => assert_eq!(found, reason),
            other => panic!("{other:?}"),
        }
    }
    let file = [header, &[0xff; 8]].concat();
    let cut = CarReader::new(&file[..]).unwrap().next().unwrap();
    assert!(matches!(cut, Err(CarError::Truncated { .. })), "{cut:?}");
}

/// A reader that fails before each read: with signals, which are no failure, or with another error.
struct Failing<'a>(&'a [u8], std::io::ErrorKind, bool);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.2 = !self.2;
        if self.2 { Err(self.1.into()) } else { self.0.read(buffer) }
    }
}

#[test]
fn an_interrupted_read_is_repeated_and_any_other_error_is_returned() {
    let blocks = [Block::new(Codec::Raw, vec![1; 10]), Block::new(Codec::Raw, vec![2; 20])];
    let file = car(&blocks);
    let reader = CarReader::new(Failing(&file, std::io::ErrorKind::Interrupted, false)).unwrap();
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), blocks);
    let refused = CarReader::new(Failing(&file, std::io::ErrorKind::TimedOut, false)).err();
    assert!(matches!(refused, Some(CarError::Io(_))), "{refused:?}");
}

#[test]
fn other_fields_of_a_header_are_skipped_whatever_they_hold() {
    let roots = [Cid::of(Codec::Cbor, b"a")];
    let nested = Value::from([("a", Value::from(vec![Value::Null, Value::from(roots[0])]))]);
    // In the order of the keys, one of the fields is before `roots`, one after it and before `version`, one last.
    for name in ["of", "notes", "metadata"] {
        for other in
            [Value::from(1), nested.clone(), Value::from(vec![nested.clone(), true.into()])]
        {
            let header = Value::from([
                ("roots", Value::from(roots.map(Value::from).to_vec())),
                ("version", Value::from(1)),
                (name, other),
            ])
            .encode();
            let file = [&[u8::try_from(header.len()).unwrap()], &header[..]].concat();
            let reader = CarReader::new(&file[..]).unwrap();
            assert_eq!(reader.roots(), roots, "{name}");
            assert_eq!(reader.count(), 0);
        }
    }
}
