//! CAR files with hostile blocks or a hostile structure.

use pds::data::{Block, Cid, Codec, Value};

use super::bounded;
use crate::common::{Car, Home, note};

/// A record of some nulls in arrays as long as they may be, these in others.
fn nulls(count: usize, depth: usize) -> Block {
    let head = |major: u8, n: usize| {
        let n = u32::try_from(n).unwrap().to_be_bytes();
        match n {
            [0, 0, 0, low @ 0..24] => vec![major << 5 | low],
            [0, 0, 0, low] => vec![major << 5 | 24, low],
            [0, 0, high, low] => vec![major << 5 | 25, high, low],
            [a, b, c, d] => vec![major << 5 | 26, a, b, c, d],
        }
    };
    let mut bytes = b"\xa2\x61a".to_vec();
    bytes.extend(vec![0x81; depth]);
    let lists = count.div_ceil(131_072);
    bytes.extend(head(4, lists));
    let mut left = count;
    for _ in 0..lists {
        let len = left.min(131_072);
        bytes.extend(head(4, len));
        bytes.extend(vec![0xf6; len]);
        left -= len;
    }
    bytes.extend(b"\x65$type\x70com.example.note");
    Block::new(Codec::Cbor, bytes)
}

fn with_record(home: &Home, record: Block) -> (usize, String) {
    let cid = record.cid().to_string();
    let file = Car::of([(b"com.example.note/a".to_vec(), record)]).file();
    home.write("file.car", &file);
    (file.len(), cid)
}

#[test]
fn five_megabytes_of_nulls_are_listed_and_not_decoded() {
    let home = Home::new();
    let (bytes, cid) = with_record(&home, nulls(39 * 131_072, 1));
    let pds = |args: &[&str]| {
        let args = ["-R", "file.car"].into_iter().chain(args.iter().copied());
        bounded(home.pds(args.map(str::to_owned)), bytes)
    };
    let get = pds(&["get", "com.example.note/a"]);
    assert_eq!(get.code(), 3);
    assert_eq!(
        get.stderr,
        "error: record com.example.note/a cannot be decoded; use --cbor for its bytes: \
         5112032 bytes, the limit is 1048576\n"
    );
    assert_eq!(pds(&["get", "com.example.note/a", "--cbor"]).stdout.len(), 5_112_032);
    assert_eq!(pds(&["show", &cid]).code(), 3);
    assert_eq!(pds(&["show", &cid, "--cbor"]).stdout.len(), 5_112_032);
    assert_eq!(pds(&["ls", "com.example.note", "-l"]).done(), format!("a\t{cid}\t5112032\n"));
    let verify = pds(&["verify"]);
    assert_eq!(verify.code(), 1);
    assert!(verify.text().starts_with("error record-too-large com.example.note/a "));
    assert_eq!(pds(&["unpack", "out"]).code(), 6);
    let clone = bounded(home.pds(["clone", "file.car", "copy"]), bytes);
    assert_eq!(clone.code(), 0, "{}", clone.stderr);
    assert!(clone.stderr.starts_with("warning: 1 finding in records"), "{}", clone.stderr);
}

#[test]
fn a_megabyte_of_nulls_is_printed_with_all_its_spaces() {
    let home = Home::new();
    // A hundred bytes of spaces for each of them.
    let (bytes, _) = with_record(&home, nulls(600_000, 50));
    for args in ["get com.example.note/a", "unpack out"] {
        let run = home.sh(&format!("exec pds -R file.car {args} > /dev/null"));
        assert_eq!(bounded(run, bytes).code(), 0, "{args}");
    }
}

#[test]
fn a_megabyte_of_nulls_is_one_line_of_json() {
    let home = Home::new();
    let (bytes, cid) = with_record(&home, nulls(1_040_000, 1));
    for args in ["get com.example.note/a --json", &format!("show {cid} --json"), "blob missing"] {
        let run = home.sh(&format!("exec pds -R file.car {args} > /dev/null"));
        assert_eq!(bounded(run, bytes).code(), 0, "{args}");
    }
}

#[test]
fn three_hundred_thousand_copies_of_a_block_are_one_block() {
    let home = Home::new();
    let record = note("again and again");
    let mut car = Car::of([(b"com.example.note/a".to_vec(), record.clone())]);
    car.blocks.extend(std::iter::repeat_n(record, 300_000));
    let file = car.file();
    home.write("file.car", &file);
    let verify = bounded(home.pds(["verify", "file.car"]), file.len());
    let text = verify.done();
    assert!(text.starts_with("note car-duplicates: 300000 duplicate blocks\n"));
    assert_eq!(bounded(home.pds(["-R", "file.car", "info"]), file.len()).code(), 0);
    assert_eq!(bounded(home.pds(["clone", "file.car", "copy"]), file.len()).code(), 0);
    assert_eq!(
        home.pds(["-R", "copy", "export"]).ended().stdout.len(),
        Car::file(&Car { commit: car.commit.clone(), blocks: car.blocks[..3].to_vec() }).len()
    );
}

#[test]
fn fifteen_hundred_roots_are_one_commit_and_a_note() {
    let home = Home::new();
    let car = Car::of([(b"com.example.note/a".to_vec(), note("a"))]);
    let others = (1..1500).map(|n| note(&n.to_string()).cid());
    let roots: Vec<_> = [car.commit.cid()].into_iter().chain(others).collect();
    let file = car.file_with_roots(&roots);
    home.write("file.car", &file);
    let verify = bounded(home.pds(["verify", "file.car"]), file.len()).done();
    assert!(verify.starts_with("note car-many-roots: 1499 further roots\n"), "{verify}");
    assert_eq!(bounded(home.pds(["clone", "file.car", "copy"]), file.len()).code(), 0);
    let more = car.file_with_roots(&roots.repeat(2));
    home.write("file.car", &more);
    assert_eq!(bounded(home.pds(["verify", "file.car"]), more.len()).code(), 3);
}

#[test]
fn a_hundred_thousand_foreign_and_damaged_blocks_are_all_reported() {
    let home = Home::new();
    let car = Car::of([(b"com.example.note/a".to_vec(), note("a"))]);
    let mut file = car.file();
    let bytes = Value::from("x").encode();
    for n in 0..100_000_u32 {
        let mut cid = *note(&n.to_string()).cid().as_bytes();
        cid[1] = if n % 2 == 0 { 0x70 } else { 0x71 };
        file.push(u8::try_from(cid.len() + bytes.len()).unwrap());
        file.extend(cid);
        file.extend(&bytes);
    }
    home.write("file.car", &file);
    let verify = bounded(home.pds(["verify", "file.car"]), file.len());
    assert_eq!((verify.code(), verify.text().lines().count()), (1, 100_001));
    let verify = bounded(home.pds(["verify", "file.car", "--json"]), file.len());
    let report: serde_json::Value = serde_json::from_str(&verify.text()).unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 20_000);
    assert_eq!(report["findingsLeftOut"], 80_000);
    let recover = bounded(home.pds(["recover", "file.car"]), file.len());
    let said = recover.done();
    assert!(said.ends_with("whole: 1 record, 0 unplaced, 0 without a path, 0 lost\n"), "{said}");
}

#[test]
fn a_clone_takes_note_of_a_bounded_number_of_blobs() {
    let home = Home::new();
    let blob = |n: u32| {
        let cid = Cid::of(Codec::Raw, &n.to_le_bytes());
        let kind = ("$type", Value::from("blob"));
        let media_type = ("mimeType", Value::from("a/b"));
        Value::from([kind, media_type, ("ref", Value::Link(cid)), ("size", Value::from(1))])
    };
    let records = (0..12_u32).map(|record| {
        let blobs = (record * 9_000..(record + 1) * 9_000).map(blob);
        let kind = ("$type", Value::from("com.example.note"));
        let value = Value::from([kind, ("blobs", Value::from_iter(blobs))]);
        let key = format!("com.example.note/{record:02}").into_bytes();
        (key, Block::new(Codec::Cbor, value.encode()))
    });
    home.write("many.car", Car::of(records).file());
    let ended = home.pds(["clone", "many.car", "copy"]).ended();
    let said = "at least 100000 blobs are referred to but missing here";
    assert!(ended.code() == 0 && ended.stderr.contains(said), "{}", ended.stderr);
}
