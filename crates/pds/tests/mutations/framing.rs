//! The frame of CAR files: header, lengths, CIDs and the order of sections.

use std::io::Cursor;

use pds::car::{CarFile, CarReader};
use pds::data::{Block, Blocks, Cid, Codec, Value};

use super::commits::small;
use super::deviant::deviants;
use super::forge::{Forged, Shape, car, key, sample};
use super::judge::{empty, shuffle, verify};
use super::torture::{amount, row};
use crate::properties::Random;
use crate::properties::cbor::mutate;

fn varint(mut n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(u8::try_from(n & 0x7f).unwrap() | 0x80);
        n >>= 7;
    }
    bytes.push(u8::try_from(n).unwrap());
    bytes
}

fn framed(content: &[u8]) -> Vec<u8> {
    [varint(content.len() as u64), content.to_vec()].concat()
}

fn section(block: &Block) -> Vec<u8> {
    framed(&[block.cid().as_bytes(), block.bytes()].concat())
}

fn header(fields: Vec<(&str, Value)>) -> Vec<u8> {
    framed(&Value::Map(fields.into_iter().collect()).encode())
}

fn sections(forged: &Forged) -> Vec<u8> {
    let commit = std::slice::from_ref(&forged.commit);
    commit.iter().chain(&forged.blocks).flat_map(section).collect()
}

/// Reads a file from its start to its end, and returns its blocks if no part of it is refused.
fn read(bytes: &[u8]) -> Option<(Vec<Cid>, Vec<Block>)> {
    let mut reader = CarReader::new(bytes).ok()?;
    let roots = reader.roots().to_vec();
    let mut blocks = Vec::new();
    while let Some(section) = reader.next_section().ok()? {
        blocks.push(section.block.to_block());
    }
    Some((roots, blocks))
}

/// Checks that all readers of the frame agree about a file, and returns the codes of errors and warnings.
fn codes(bytes: &[u8], name: &str) -> Vec<&'static str> {
    let (report, findings) = verify(bytes);
    let read = read(bytes);
    let opened = CarFile::open(Cursor::new(bytes));
    assert_eq!(read.is_some(), opened.is_ok(), "{name}");
    let stage = |it: &&pds::Finding| ["car", "cid", "hash"].contains(&it.stage().as_str());
    let is_framed = !findings.iter().filter(stage).any(|it| it.severity() > pds::Severity::Note);
    assert_eq!(read.is_some(), is_framed, "{name}: {findings:#?}");
    let mut reported = 0;
    let _ = CarFile::open_reporting(Cursor::new(bytes), &mut |_| reported += 1);
    let salvaged = CarFile::salvage(Cursor::new(bytes), &mut |_| {});
    if let (Some((roots, blocks)), Ok(opened)) = (&read, &opened) {
        assert_eq!((opened.roots(), opened.sections()), (&roots[..], blocks.len() as u64));
        let salvaged = salvaged.unwrap();
        for block in blocks {
            assert_eq!(opened.get(&block.cid()).unwrap().as_ref(), Some(block), "{name}");
            assert_eq!(salvaged.get(&block.cid()).unwrap().as_ref(), Some(block), "{name}");
        }
        let again = car(roots, blocks);
        assert_eq!(self::read(&again).as_ref(), read.as_ref(), "{name}");
    }
    let repo = empty();
    let imported = repo.transfer().import_file(Cursor::new(bytes), Some(&key().public_key()));
    assert_eq!(imported.is_ok(), report.is_ok(), "{name}: {findings:#?}");
    let odd = findings.iter().filter(|found| found.severity() > pds::Severity::Note);
    odd.map(|found| found.code().as_str()).collect()
}

#[test]
fn every_header_has_its_verdict() {
    let forged = small();
    let rest = sections(&forged);
    let (root, other) = (forged.commit.cid(), Cid::of(Codec::Cbor, b"not here"));
    let raw = Cid::from_digest(Codec::Raw, *root.digest());
    let roots = |cids: &[Cid]| Value::List(cids.iter().map(|cid| Value::Link(*cid)).collect());
    let version = ("version", Value::Int(1));
    let one = ("roots", roots(&[root]));
    let with_roots = |value| header(vec![("roots", value), ("version", Value::Int(1))]);
    let with_version = |value| header(vec![("roots", roots(&[root])), ("version", value)]);
    let wrong = &["car-header"][..];
    let mut cases = vec![
        ("one root", header(vec![one.clone(), version.clone()]), &[][..]),
        ("no root", with_roots(roots(&[])), &["root-missing"]),
        ("two roots", with_roots(roots(&[root, other])), &[]),
        ("one root twice", with_roots(roots(&[root, root])), &[]),
        ("a thousand roots", with_roots(roots(&vec![root; 1_000])), &[]),
        ("a header above the limit", with_roots(roots(&vec![root; 2_000])), wrong),
        ("a root that is not there", with_roots(roots(&[other])), &["commit-missing"]),
        ("the tree as root", with_roots(roots(&[forged.data])), &["not-a-commit"]),
        ("the root as raw bytes", with_roots(roots(&[raw])), &["commit-missing"]),
        ("roots of null", with_roots(Value::Null), wrong),
        ("roots of a map", with_roots(Value::Map(pds::data::Map::new())), wrong),
        ("roots of a link", with_roots(Value::Link(root)), wrong),
        ("roots of text", with_roots(Value::List(vec![Value::from(root.to_string())])), wrong),
        ("roots of bytes", with_roots(Value::List(vec![Value::from(&root.as_bytes()[..])])), wrong),
        ("no roots", header(vec![version.clone()]), wrong),
        ("no version", header(vec![one.clone()]), wrong),
        ("nothing", header(vec![]), wrong),
        ("version 0", with_version(Value::Int(0)), wrong),
        ("version 2", with_version(Value::Int(2)), wrong),
        ("version 2 alone", header(vec![("version", Value::Int(2))]), wrong),
        ("version -1", with_version(Value::Int(-1)), wrong),
        ("version of text", with_version(Value::from("1")), wrong),
        ("version of null", with_version(Value::Null), wrong),
        ("more keys", header(vec![one.clone(), version.clone(), ("note", nested())]), &[]),
        ("a list", framed(&Value::List(vec![]).encode()), wrong),
        ("no bytes", varint(0), wrong),
        ("a length of two bytes too many", vec![0xba, 0x80, 0x00], wrong),
        ("a length of ten bytes", vec![0xff; 10], wrong),
        ("a length beyond the end", varint(60_000), wrong),
        ("a length beyond everything", varint(u64::MAX >> 1), wrong),
    ];
    let right = Value::Map([one, version].into_iter().collect());
    let others = deviants(&right, 1);
    cases.extend(others.map(|(_, rule, bytes)| (rule, framed(&bytes), wrong)));
    let tried = cases.len();
    for (name, header, expected) in cases {
        assert_eq!(codes(&[header, rest.clone()].concat(), name), expected, "header: {name}");
    }
    row("mutations: headers of files", tried, "each judged as expected");
}

fn nested() -> Value {
    let inner = Value::List(vec![Value::Null, Value::from([("a", Value::Int(1))])]);
    Value::from([("list", inner), ("link", Value::Link(Cid::of(Codec::Raw, b"")))])
}

#[test]
fn every_section_has_its_verdict() {
    let forged = small();
    let right = forged.file();
    let block = Block::new(Codec::Cbor, *b"\xa0");
    let digest = *block.cid().digest();
    let foreign = |cid: &[u8]| framed(&[cid, block.bytes()].concat());
    let with = |cid: Cid, bytes: &[u8]| framed(&[&cid.as_bytes()[..], bytes].concat());
    let (cut, wrong, kind) = (&["car-truncated"][..], &["car-section"][..], &["cid-foreign"][..]);
    let cases = [
        ("another block", section(&block), &[][..]),
        ("a raw block", section(&Block::new(Codec::Raw, *b"raw")), &[]),
        ("an empty block", section(&Block::new(Codec::Raw, *b"")), &[]),
        ("the commit again", section(&forged.commit), &[]),
        ("a zero", vec![0], wrong),
        ("many zeros", vec![0; 100], wrong),
        ("a byte", vec![1], wrong),
        ("an open length", vec![0x80], cut),
        ("a length of 35", framed(&[1; 35]), wrong),
        ("a length beyond the end", [varint(1_000), vec![1; 40]].concat(), cut),
        ("a length above the limit", varint(6 << 20), wrong),
        ("a length beyond everything", varint(u64::MAX >> 1), wrong),
        ("a length of nine bytes", varint(1 << 62), wrong),
        ("a length of ten bytes", vec![0xff; 10], wrong),
        ("a length too long", [&[0xa5, 0x80, 0x00], &section(&block)[1..]].concat(), wrong),
        ("CIDv0", foreign(&[&[0x12, 0x20], &digest[..], &[0, 0]].concat()), kind),
        ("dag-pb", foreign(&[&[1, 0x70, 0x12, 0x20], &digest[..]].concat()), kind),
        ("sha2-512", foreign(&[&[1, 0x71, 0x13, 0x40], &digest[..], &digest].concat()), kind),
        ("blake3", foreign(&[&[1, 0x71, 0x1e, 0x20], &digest[..]].concat()), kind),
        ("version 2 of CIDs", foreign(&[&[2, 0x71, 0x12, 0x20], &digest[..]].concat()), kind),
        ("a short digest", foreign(&[&[1, 0x71, 0x12, 0x1f], &digest[..]].concat()), kind),
        ("other bytes", with(block.cid(), b"\xa1"), &["block-damaged"]),
        ("no bytes", with(block.cid(), b""), &["block-damaged"]),
        ("a raw CID of CBOR", with(Cid::from_digest(Codec::Raw, digest), b"\xa0"), &[]),
        ("the whole file again", right.clone(), &["cid-foreign"]),
    ];
    let tried = cases.len();
    for (name, more, expected) in cases {
        let found = codes(&[right.clone(), more.clone()].concat(), name);
        assert_eq!(found, expected, "at the end: {name}");
        // Before the other sections, bytes that are no section hide the commit as well.
        let (header, rest) = right.split_at(right.len() - sections(&forged).len());
        let found = codes(&[header, &more, rest].concat(), name);
        assert_eq!(found.is_empty(), expected.is_empty(), "at the start: {name}: {found:?}");
    }
    row("mutations: sections of files", 2 * tried, "each judged as expected");
}

#[test]
fn random_frames_are_read_alike() {
    let (entries, records) = sample();
    let forged = Forged::of(&Shape::of(&entries), &records);
    let whole = [std::slice::from_ref(&forged.commit), &forged.blocks].concat();
    let tried = amount(500, 60_000);
    let mut good = 0;
    for seed in 0..tried {
        let mut random = Random(4_000_000 + seed as u64);
        let mut blocks = whole[..random.below(8) + 1].to_vec();
        shuffle(&mut blocks, &mut random);
        let mut parts: Vec<Vec<u8>> = blocks.iter().map(section).collect();
        parts.insert(0, car(&[forged.commit.cid()], &[]));
        match random.below(4) {
            0 => {
                let at = random.below(parts.len());
                mutate(&mut random, &mut parts[at]);
            }
            1 => {
                let part = parts[random.below(parts.len())].clone();
                parts.insert(random.below(parts.len() + 1), part);
            }
            2 => drop(parts.remove(random.below(parts.len()))),
            _ => {}
        }
        let found = codes(&parts.concat(), &format!("seed {seed}"));
        good += usize::from(found.iter().all(|code| code.ends_with("-missing")));
    }
    assert!(good > tried / 10 && good < tried, "{good}");
    row("mutations: random frames", tried, &format!("{good} are sound frames, all read alike"));
}
