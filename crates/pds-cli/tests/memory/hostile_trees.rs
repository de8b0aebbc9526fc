//! CAR files whose tree is hostile.

use pds::data::{Block, Cid, Codec};
use pds::mst::height;

use super::bounded;
use crate::common::{Car, Ended, Home, node, note};

/// Keys of one height in ascending order, each with a prefix and a suffix of some length.
fn keys(prefix: &str, level: u8, count: usize, suffix_bytes: usize) -> Vec<Vec<u8>> {
    let suffix = "x".repeat(suffix_bytes);
    let all = (0..).map(|n| format!("com.example.note/{prefix}{n:08}{suffix}").into_bytes());
    all.filter(|key| height(key) == level).take(count).collect()
}

fn entries(keys: Vec<Vec<u8>>, value: Cid, right: Option<Cid>) -> Vec<(Vec<u8>, Cid, Option<Cid>)> {
    keys.into_iter().map(|key| (key, value, right)).collect()
}

/// Runs every verb that walks a tree; none of them may accept a hostile tree.
fn walk_all(home: &Home, car: &Car) -> Vec<Ended> {
    let file = car.file();
    home.write("file.car", &file);
    home.write("other.car", Car::of([(b"com.example.note/a".to_vec(), note("a"))]).file());
    let verbs: [&[&str]; 13] = [
        &["verify", "file.car"],
        &["verify", "file.car", "--json"],
        &["clone", "file.car", "copy"],
        &["-R", "file.car", "info"],
        &["-R", "file.car", "ls"],
        &["-R", "file.car", "ls", "--all"],
        &["-R", "file.car", "log"],
        &["-R", "file.car", "mst"],
        &["-R", "file.car", "export"],
        &["-R", "file.car", "unpack", "out"],
        &["diff", "file.car", "other.car"],
        &["diff", "other.car", "file.car"],
        &["recover", "file.car"],
    ];
    verbs
        .into_iter()
        .map(|args| {
            let ended = bounded(home.pds(args.iter().map(|arg| (*arg).to_owned())), file.len());
            assert!(ended.stdout.len() < 20 << 20, "{args:?}: {} bytes", ended.stdout.len());
            ended
        })
        .collect()
}

#[test]
fn a_node_as_large_as_it_may_be_is_read() {
    let home = Home::new();
    let record = note("x");
    let full = |n: usize| {
        let mut key = format!("com.example.note/{n:06}").into_bytes();
        key.resize(1024, b'x');
        key
    };
    let keys: Vec<Vec<u8>> = (0..).map(full).filter(|key| height(key) == 0).take(1024).collect();
    let node = node(&entries(keys, record.cid(), None), None);
    let cid = node.cid();
    let car = Car::with_tree(cid, vec![node, record]);
    let ended = walk_all(&home, &car);
    // Keys of that length are no record paths, but the tree is one.
    let codes: Vec<i32> = ended.iter().map(Ended::code).collect();
    assert_eq!(codes, [1, 1, 1, 0, 6, 6, 6, 0, 0, 6, 1, 1, 6]);
    let show = ["-R", "file.car", "show", &cid.to_string(), "--cbor"];
    assert_eq!(bounded(home.pds(show), 1 << 20).code(), 0);
}

#[test]
fn a_subtree_that_stands_in_many_places_is_walked_once() {
    let home = Home::new();
    let record = note("x");
    let mut blocks = vec![record.clone()];
    let mut below: Option<Cid> = None;
    // A hundred subtrees in each node, all of them the same: walked in full it would never end.
    for level in 0..5 {
        let keys = keys("", level, 100, 0);
        let node = node(&entries(keys, record.cid(), below), below);
        below = Some(node.cid());
        blocks.push(node);
    }
    let car = Car::with_tree(below.unwrap(), blocks);
    for (n, ended) in walk_all(&home, &car).iter().enumerate() {
        assert!(matches!(ended.code(), 1 | 3 | 6), "{n}: {} {}", ended.code(), ended.stderr);
    }
}

#[test]
fn a_large_node_that_is_named_often_is_read_once() {
    let home = Home::new();
    let record = note("x");
    let large = node(&entries(keys("z", 0, 1000, 900), record.cid(), None), None);
    let garbage = Block::new(Codec::Cbor, vec![0xf7; 4 << 20]);
    let mut blocks = vec![record.clone(), large.clone(), garbage.clone()];
    let mut middle = Vec::new();
    for (n, key) in keys("m", 2, 150, 0).into_iter().enumerate() {
        // Each has keys of its own, and between them the same large node and the same garbage.
        let text = String::from_utf8(key.clone()).unwrap();
        let of_middle = keys(&format!("{}-", text.rsplit('/').next().unwrap()), 1, 20, 0);
        let alternating = of_middle.into_iter().enumerate().map(|(at, key)| {
            let below = if (at + n) % 2 == 0 { large.cid() } else { garbage.cid() };
            (key, record.cid(), Some(below))
        });
        let node = node(&alternating.collect::<Vec<_>>(), None);
        middle.push((key, record.cid(), Some(node.cid())));
        blocks.push(node);
    }
    let root = node(&middle, None);
    blocks.push(root.clone());
    for ended in walk_all(&home, &Car::with_tree(root.cid(), blocks)) {
        assert!(matches!(ended.code(), 1 | 3 | 6), "{}", ended.stderr);
    }
}

#[test]
fn a_large_record_that_is_named_often_is_read_once() {
    let home = Home::new();
    let record = Block::new(Codec::Cbor, vec![0xf7; 5 << 20]);
    let other = Block::new(Codec::Cbor, vec![0xf6; 3 << 20]);
    let records = (0..6_000).map(|n| {
        let record = if n % 2 == 0 { &record } else { &other };
        (format!("com.example.note/{n}").into_bytes(), record.clone())
    });
    let mut car = Car::of(records);
    car.blocks.retain(|block| block.bytes().len() < 1 << 20);
    car.blocks.extend([record, other]);
    let file = car.file();
    home.write("file.car", &file);
    let bounded =
        |args: &[&str]| bounded(home.pds(args.iter().map(|arg| (*arg).to_owned())), file.len());
    let verify = bounded(&["verify", "file.car"]);
    assert_eq!((verify.code(), verify.text().lines().count()), (1, 6_001));
    bounded(&["-R", "file.car", "export", "-o", "out.car"]).done();
    assert_eq!(home.read("out.car").len(), file.len());
    bounded(&["clone", "file.car", "copy"]).done();
    assert_eq!(bounded(&["-R", "copy", "verify"]).code(), 1);
}

#[test]
fn findings_about_long_keys_are_counted_and_not_all_kept() {
    let home = Home::new();
    let record = note("x");
    let records = (0..12_000_u32).map(|n| {
        let mut key = vec![0xff; 1020];
        key.extend(n.to_be_bytes());
        (key, record.clone())
    });
    let mut car = Car::of(records);
    let all = car.blocks.clone();
    let nodes = all.iter().filter(|block| **block != record).cloned();
    car.blocks = nodes.collect();
    let file = car.file();
    home.write("file.car", &file);
    let verify = bounded(home.pds(["verify", "file.car", "--json"]), file.len());
    let report: serde_json::Value = serde_json::from_str(&verify.text()).unwrap();
    let kept = report["findings"].as_array().unwrap().len() as u64;
    assert_eq!(kept + report["findingsLeftOut"].as_u64().unwrap(), 24_000);
    assert!(kept > 1000);
}
